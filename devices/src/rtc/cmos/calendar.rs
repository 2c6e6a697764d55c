//! Days since 1970-01-01 and dates of the Gregorian calendar.

/// A date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: u32,
    /// From 1.
    pub(super) month: u32,
    /// From 1.
    pub(super) day: u32,
}

const DAYS_OF_400_YEARS: u64 = 146_097;
/// Days before each month, in a year that is no leap year.
const DAYS_BEFORE: [u32; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days before a month (from 1; 13 is the next year's first).
fn days_before(year: u32, month: u32) -> u32 {
    DAYS_BEFORE[month as usize - 1] + u32::from(month > 2 && is_leap(year))
}

/// Days from the first of January of the year 1 to that of `year`.
fn days_before_year(year: u32) -> u64 {
    let y = u64::from(year) - 1;
    365 * y + y / 4 - y / 100 + y / 400
}

/// Days from 1970-01-01 to a date of 1970 or later; what the month has not is taken as it counts
/// on.
pub(super) fn days_of(date: Date) -> u64 {
    let days = days_before_year(date.year) + u64::from(days_before(date.year, date.month));
    days + u64::from(date.day) - 1 - days_before_year(1970)
}

/// The date so many days after 1970-01-01.
pub(super) fn date_of(days: u64) -> Date {
    let days = days + days_before_year(1970);
    // At most one year too many, because leap years are not spread evenly.
    let mut year = (days * 400 / DAYS_OF_400_YEARS) as u32 + 1;
    while days_before_year(year) > days {
        year -= 1;
    }
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    let rest = (days - days_before_year(year)) as u32;
    let month = (1..=12).rev().find(|month| days_before(year, *month) <= rest).unwrap_or(1);
    Date { year, month, day: rest - days_before(year, month) + 1 }
}

/// Day of the week, 1 for Sunday; 1970-01-01 was a Thursday.
pub(super) fn day_of_week(days: u64) -> u32 {
    ((days + 4) % 7) as u32 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_follow_each_other() {
        let mut date = Date { year: 1970, month: 1, day: 1 };
        for days in 0..150_000 {
            assert_eq!(date_of(days), date, "{days}");
            assert_eq!(days_of(date), days);
            let last = days_before(date.year, date.month + 1) - days_before(date.year, date.month);
            date.day += 1;
            if date.day > last {
                (date.day, date.month) = (1, date.month + 1);
            }
            if date.month > 12 {
                (date.month, date.year) = (1, date.year + 1);
            }
        }
    }

    #[test]
    fn known_days() {
        // 2024-02-29 was a Thursday.
        let leap = Date { year: 2024, month: 2, day: 29 };
        assert_eq!((days_of(leap), day_of_week(days_of(leap))), (19_782, 5));
    }
}

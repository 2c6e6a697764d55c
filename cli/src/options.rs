//! Values of options: sizes, disks, networks, consoles.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use api::CharKind;

/// Bytes, as users write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size: write a number and K, M, G or T, as in 512M");
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
            "" => 0,
            "K" | "KB" | "KIB" => 10,
            "M" | "MB" | "MIB" => 20,
            "G" | "GB" | "GIB" => 30,
            "T" | "TB" | "TIB" => 40,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(1 << shift).map(Size).ok_or_else(wrong)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A time in milliseconds: `1s`, `200ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval(pub(crate) u32);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time: write a number and s or ms, as in 500ms");
        let (digits, ms) = match text.strip_suffix("ms") {
            Some(digits) => (digits, 1),
            None => (text.strip_suffix('s').ok_or_else(wrong)?, 1000),
        };
        let number: u32 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(ms).filter(|ms| *ms > 0).map(Interval).ok_or_else(wrong)
    }
}

/// `--firmware`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FirmwareArg {
    None,
    File(PathBuf),
}

impl FromStr for FirmwareArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("give the path of a file, or `none`".into()),
            "none" => Ok(Self::None),
            path => Ok(Self::File(path.into())),
        }
    }
}

/// `--disk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
    pub(crate) readonly: bool,
    pub(crate) id: Option<String>,
}

impl FromStr for Disk {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "write path=FILE[,readonly][,id=NAME]";
        let (mut path, mut readonly, mut id) = (None, false, None);
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("path", value)) if path.is_none() && !value.is_empty() => {
                    path = Some(PathBuf::from(value));
                }
                Some(("id", value)) if id.is_none() && is_id(value) => id = Some(value.to_owned()),
                None if part == "readonly" => readonly = true,
                _ => return Err(format!("`{part}` is not understood there: {FORM}")),
            }
        }
        let path = path.ok_or_else(|| format!("`{text}` names no image: {FORM}"))?;
        Ok(Self { path, readonly, id })
    }
}

/// A name that the guest can see as a serial number: 20 bytes at most [VIRTIO-1.3 §5.2.6].
fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// `--net`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    pub(crate) wire: Wire,
    pub(crate) mac: Option<[u8; 6]>,
}

/// Where a network card leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// The host's sockets, with these ports led to the guest.
    User(Vec<String>),
    /// A tap interface.
    Tap(String),
}

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "write user[,hostfwd=tcp:127.0.0.1:2222-:22]... or tap=NAME, and \
                            [,mac=52:54:00:12:34:56]";
        let mut parts = text.split(',');
        let mut wire = match parts.next().map(|part| (part, part.split_once('='))) {
            Some(("user", None)) => Wire::User(Vec::new()),
            Some((_, Some(("tap", name)))) if !name.is_empty() => Wire::Tap(name.to_owned()),
            _ => return Err(format!("`{text}` is no network: {FORM}")),
        };
        let mut mac = None;
        for part in parts {
            match (part.split_once('='), &mut wire) {
                (Some(("hostfwd", forward)), Wire::User(forwards)) => {
                    forwards.push(forward.to_owned());
                }
                (Some(("mac", value)), _) if mac.is_none() => mac = Some(parse_mac(value)?),
                _ => return Err(format!("`{part}` is not understood there: {FORM}")),
            }
        }
        Ok(Self { wire, mac })
    }
}

fn parse_mac(text: &str) -> Result<[u8; 6], String> {
    let bytes: Option<Vec<u8>> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() == 2))
        .collect();
    let mac: Option<[u8; 6]> = bytes.and_then(|bytes| bytes.try_into().ok());
    match mac {
        Some(mac) if mac[0] & 1 == 0 && mac != [0; 6] => Ok(mac),
        _ => Err(format!(
            "`{text}` is no address for a network card: write six bytes, the first of them even, \
             as in 52:54:00:12:34:56"
        )),
    }
}

/// `--console`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Console(pub(crate) CharKind);

impl FromStr for Console {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match (text, text.split_once('=')) {
            ("stdio", _) => CharKind::Stdio,
            ("pty", _) => CharKind::Pty,
            ("none", _) => CharKind::None,
            (_, Some(("file", path))) if !path.is_empty() => CharKind::File(path.into()),
            _ => {
                return Err(format!(
                    "`{text}` is no console: choose stdio, file=FILE, pty or none"
                ));
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong<T: FromStr<Err = String> + fmt::Debug>(text: &str) -> String {
        text.parse::<T>().unwrap_err()
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("512M", 512 << 20), ("1g", 1 << 30), ("4096", 4096), ("64KiB", 64 << 10)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "M", "12Q", "-1", "1.5G", "99999999T", "1M1", "é"] {
            assert!(wrong::<Size>(text).contains("512M"), "{text}");
        }
    }

    #[test]
    fn intervals() {
        for (text, ms) in [("1s", 1000), ("200ms", 200)] {
            assert_eq!(text.parse(), Ok(Interval(ms)), "{text}");
        }
        for text in ["", "s", "ms", "1", "0s", "1m", "-1s", "99999999s"] {
            assert!(wrong::<Interval>(text).contains("500ms"), "{text}");
        }
    }

    #[test]
    fn disks() {
        let disk: Disk = "path=a=b.img,readonly,id=root".parse().unwrap();
        assert_eq!(disk, Disk { path: "a=b.img".into(), readonly: true, id: Some("root".into()) });
        for text in ["", "a.img", "path=", "path=a,ro", "path=a,path=b", "path=a,id=", "readonly"] {
            assert!(wrong::<Disk>(text).contains("path=FILE"), "{text}");
        }
        assert!(wrong::<Disk>("path=a,id=aaaaaaaaaaaaaaaaaaaaa").contains("id=NAME"));
    }

    #[test]
    fn networks() {
        let net: Net = "user,hostfwd=tcp:127.0.0.1:2222-:22,mac=52:54:00:00:00:01".parse().unwrap();
        assert_eq!(net.wire, Wire::User(vec!["tcp:127.0.0.1:2222-:22".into()]));
        assert_eq!(net.mac, Some([0x52, 0x54, 0, 0, 0, 1]));
        let net: Net = "tap=tap0".parse().unwrap();
        assert_eq!(net, Net { wire: Wire::Tap("tap0".into()), mac: None });
        for text in ["", "usr", "tap", "tap=", "tap=a,hostfwd=x", "user,x=1", "user=1"] {
            assert!(wrong::<Net>(text).contains("tap=NAME"), "{text}");
        }
        for mac in ["", "1:2:3:4:5:6", "53:54:00:12:34:56", "52:54:00:12:34", "00:00:00:00:00:00"] {
            assert!(wrong::<Net>(&format!("user,mac={mac}")).contains("six bytes"), "{mac}");
        }
    }

    #[test]
    fn consoles() {
        assert_eq!("file=/tmp/log".parse(), Ok(Console(CharKind::File("/tmp/log".into()))));
        for text in ["", "file", "file=", "tty", "stdio=1"] {
            assert!(wrong::<Console>(text).contains("choose stdio"), "{text}");
        }
    }
}

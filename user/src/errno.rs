//! Error numbers, as system calls return them. They are the same on all architectures that are
//! run here and on the host.

use std::fmt;

/// An error number of Linux: positive, below 4096.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

macro_rules! errno {
    ($($name:ident)*) => {
        #[allow(missing_docs, reason = "named as in errno(3)")]
        impl Errno {
            $(pub const $name: Errno = Errno(libc::$name);)*
        }

        /// The name, if it is one of the above.
        fn name(number: i32) -> Option<&'static str> {
            match number {
                $(libc::$name => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

errno! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY
    ELOOP EOVERFLOW ENOTSOCK EOPNOTSUPP ETIMEDOUT
}

impl Errno {
    /// The call was not made, for a signal has come: it is made again behind the signal's handler.
    /// Programs never see it.
    pub const RESTART: Errno = Errno(tcg::syscall::RESTART);
    /// The call has set all registers itself. Programs never see it.
    pub const NO_RESULT: Errno = Errno(513);

    /// What a system call returns for it.
    pub fn result(self) -> u64 {
        i64::from(-self.0) as u64
    }

    /// The error of the host's call that failed last on this thread.
    pub fn last() -> Errno {
        Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_small_negative_numbers() {
        assert_eq!(Errno::EFAULT.result() as i64, -14);
        assert_eq!(format!("{:?}", Errno::ENOSYS), "ENOSYS");
        assert_eq!(format!("{:?}", Errno(512)), "errno 512");
    }
}

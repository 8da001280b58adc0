//! `madvise(2)` and `mallopt(3)`, for what a long-lived process does not need any more.

use rustix::io::Errno;

use crate::result;

/// Every page size that Linux has on the machines we know divides it.
const LARGEST_PAGE: usize = 64 << 10;

/// Drops this process's mapping of its program's code and constants; what is run next comes back from the page cache.
///
/// A process that did much once and then waits keeps every page it touched mapped, and is accounted a share of it.
///
/// # Errors
/// `EINVAL` where part of it is locked in memory.
pub fn forget_code() -> Result<(), Errno> {
    #[allow(unreachable_pub, reason = "the names are the linker's")]
    unsafe extern "C" {
        static __executable_start: u8;
        static etext: u8;
    }
    let start = (&raw const __executable_start) as usize;
    let end = (&raw const etext) as usize;
    let (start, end) = (start.next_multiple_of(LARGEST_PAGE), end / LARGEST_PAGE * LARGEST_PAGE);
    // SAFETY: from the program's first byte to its last instruction lie read-only private mappings of the file that
    // nothing has written to (data and relocated pages come after): a page that is touched again is read from the file.
    let value = unsafe { libc::madvise(start as *mut libc::c_void, end.saturating_sub(start), libc::MADV_DONTNEED) };
    result(value.into()).map(drop)
}

/// From here on, a piece of memory of so many KiB goes back to the kernel as soon as it is freed.
///
/// Left to itself the C library takes a large piece that is freed for a sign of more to come, and keeps those that
/// follow: a process that has once worked with many stays as large as it was then.
///
/// # Errors
/// `EINVAL` where the C library does not take it.
pub fn give_back_from(kibibytes: u16) -> Result<(), Errno> {
    let bytes = libc::c_int::from(kibibytes) << 10;
    for parameter in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: mallopt takes two numbers, and what is allocated stays as it is.
        if unsafe { libc::mallopt(parameter, bytes) } != 1 {
            return Err(Errno::INVAL);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn large_pieces_go_back() {
        assert_eq!(super::give_back_from(128), Ok(()));
    }

    #[test]
    fn code_that_was_forgotten_still_runs() {
        assert_eq!(super::forget_code(), Ok(()));
        assert_eq!(format!("{:?}", vec![1, 2, 3]), "[1, 2, 3]");
    }
}

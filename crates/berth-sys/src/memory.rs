//! `madvise(2)`, for what a long-lived small process does not need any more.

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

#[cfg(test)]
mod tests {
    #[test]
    fn code_that_was_forgotten_still_runs() {
        assert_eq!(super::forget_code(), Ok(()));
        assert_eq!(format!("{:?}", vec![1, 2, 3]), "[1, 2, 3]");
    }
}

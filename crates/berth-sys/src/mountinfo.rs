//! The mounts of a mount namespace, as `/proc/PID/mountinfo` lists them (proc(5)).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::{fs, io};

/// The table of the calling process.
pub const OWN: &str = "/proc/self/mountinfo";

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Its number, which `statx` has too.
    pub id: u64,
    /// The directory of its file system that it shows.
    pub root: PathBuf,
    /// Where it is.
    pub point: PathBuf,
    /// Whether what is mounted below it shows elsewhere.
    pub shared: bool,
    /// Whether what is mounted below another shows here.
    pub slave: bool,
    /// The type of its file system.
    pub kind: String,
    /// The options of its file system.
    pub options: String,
}

/// Reads the table of the calling process.
///
/// # Errors
/// It cannot be read.
pub fn read() -> io::Result<Vec<Mounted>> {
    Ok(parse(&fs::read(OWN)?).collect())
}

/// Reads a table, in the order in which it was mounted. Lines of another shape are passed over.
pub fn parse(table: &[u8]) -> impl Iterator<Item = Mounted> {
    table.split(|byte| *byte == b'\n').filter_map(line)
}

fn line(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let (root, point) = (path(fields.nth(2)?), path(fields.next()?));
    let (mut shared, mut slave) = (false, false);
    for tag in fields.by_ref().skip(1).take_while(|field| *field != b"-") {
        shared |= tag.starts_with(b"shared:");
        slave |= tag.starts_with(b"master:");
    }
    let text = |field: &[u8]| String::from_utf8_lossy(&unescaped(field)).into_owned();
    let (kind, options) = (text(fields.next()?), text(fields.nth(1)?));
    Some(Mounted { id, root, point, shared, slave, kind, options })
}

fn path(field: &[u8]) -> PathBuf {
    OsString::from_vec(unescaped(field)).into()
}

/// The table writes blanks and backslashes as `\040`.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = tail
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        out.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_shape() {
        let table = br"25 1 0:22 / /a\040b\134c\x rw,relatime shared:7 master:2 - ext4 /dev/x rw,errors=continue
26 25 0:23 /sub / ro - tmpfs tmpfs rw
nonsense
27 25 0:23 / /cut rw shared:1
";
        let seen: Vec<Mounted> = parse(table).collect();
        let points: Vec<&str> = seen.iter().filter_map(|mount| mount.point.to_str()).collect();
        assert_eq!(points, [r"/a b\c\x", "/"]);
        assert_eq!((seen[0].id, seen[0].shared, seen[0].slave), (25, true, true));
        assert_eq!((seen[0].kind.as_str(), seen[0].options.as_str()), ("ext4", "rw,errors=continue"));
        assert_eq!((seen[1].root.to_str(), seen[1].shared, seen[1].slave), (Some("/sub"), false, false));
        assert_eq!(unescaped(br"\04"), br"\04");
    }

    #[test]
    fn the_root_is_listed() {
        assert!(read().is_ok_and(|table| table.iter().any(|mount| mount.point == std::path::Path::new("/"))));
    }
}

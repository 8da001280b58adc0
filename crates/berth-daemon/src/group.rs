//! Group names: a static program has no name service, so `/etc/group` is read as it is.

/// The number of a group, given by name or number.
pub(crate) fn id(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    find(&std::fs::read_to_string("/etc/group").ok()?, name)
}

fn find(file: &str, name: &str) -> Option<u32> {
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_or_number() {
        assert_eq!(find("root:x:0:\ndocker:x:998:a,b\n", "docker"), Some(998));
        assert_eq!(find("root:x:0:\n", "docker"), None);
        assert_eq!(id("12"), Some(12));
        assert_eq!(find("broken\n:x\n", "broken"), None);
    }
}

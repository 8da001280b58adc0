//! Users and groups by name, from a root file system's own `passwd` and `group`: pure text in, numbers out.

use crate::{Error, Result};

/// The texts of `/etc/passwd` and `/etc/group`; empty where a file is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFiles {
    /// `/etc/passwd`
    pub passwd: String,
    /// `/etc/group`
    pub group: String,
}

/// Who a process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Further groups, without doubles.
    pub groups: Vec<u32>,
    /// Home directory; `/` where nothing says one.
    pub home: String,
}

struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl UserFiles {
    fn users(&self) -> impl Iterator<Item = PasswdEntry<'_>> {
        self.passwd.lines().filter_map(|line| {
            let mut fields = line.trim().split(':');
            let (name, _password) = (fields.next()?, fields.next()?);
            let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            let home = fields.nth(1).unwrap_or("");
            Some(PasswdEntry { name, uid, gid, home })
        })
    }

    fn groups(&self) -> impl Iterator<Item = GroupEntry<'_>> {
        self.group.lines().filter_map(|line| {
            let mut fields = line.trim().split(':');
            let (name, _password) = (fields.next()?, fields.next()?);
            let gid = fields.next()?.parse().ok()?;
            Some(GroupEntry { name, gid, members: fields.next().unwrap_or("") })
        })
    }

    /// Resolves `user[:group]` and `--group-add`; empty means root.
    ///
    /// # Errors
    /// A name that is in no file, a number out of range: Docker's sentences.
    pub fn resolve(&self, user: &str, group_add: &[String]) -> Result<User> {
        let (name, group) = match user.split_once(':') {
            Some((name, group)) => (name, Some(group).filter(|g| !g.is_empty())),
            None => (user, None),
        };
        let name = if name.is_empty() { "0" } else { name };
        let number = number(name)?;
        let by_name = self.users().find(|entry| entry.name == name);
        let entry = by_name.or_else(|| number.and_then(|uid| self.users().find(|entry| entry.uid == uid)));
        let (uid, gid, home, login) = match (entry, number) {
            (Some(entry), _) => (entry.uid, entry.gid, entry.home, Some(entry.name)),
            (None, Some(uid)) => (uid, 0, "", None),
            (None, None) => {
                return Err(Error::Invalid(format!("unable to find user {name}: no matching entries in passwd file")));
            }
        };
        let mut user = User { uid, gid, groups: Vec::new(), home: if home.is_empty() { "/" } else { home }.into() };
        match group {
            Some(group) => user.gid = self.group(group)?,
            // Membership counts only where no group was asked for.
            None => user.groups = self.memberships(login),
        }
        for group in group_add {
            let gid = self.group(group).map_err(|_| Error::Invalid(format!("Unable to find group {group}")))?;
            user.groups.push(gid);
        }
        // The primary group is a supplementary one too: giving it up by a set-group-id program must not lift what a
        // file denies to it (CVE-2022-36109).
        user.groups.insert(0, user.gid);
        let mut seen = std::collections::BTreeSet::new();
        user.groups.retain(|gid| seen.insert(*gid));
        Ok(user)
    }

    fn group(&self, text: &str) -> Result<u32> {
        if let Some(entry) = self.groups().find(|entry| entry.name == text) {
            return Ok(entry.gid);
        }
        number(text)?
            .ok_or_else(|| Error::Invalid(format!("unable to find group {text}: no matching entries in group file")))
    }

    fn memberships(&self, login: Option<&str>) -> Vec<u32> {
        let Some(login) = login else { return Vec::new() };
        self.groups().filter(|entry| entry.members.split(',').any(|m| m == login)).map(|entry| entry.gid).collect()
    }
}

/// `None`: it is a name.
fn number(text: &str) -> Result<Option<u32>> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(number) if number <= i32::MAX as u32 => Ok(Some(number)),
        _ => Err(Error::Invalid(format!("{text}: uids and gids must be in range 0-2147483647"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    #[test]
    fn table() {
        let files = UserFiles {
            passwd: "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34::/srv/web:/bin/false\n77:x:1077:5:::\n".into(),
            group: "root:x:0:root\nwheel:x:10:root,web\nlog:x:20:web\nempty:x:21:\n".into(),
        };
        let user = |uid, gid, groups: &[u32], home: &str| {
            Ok::<User, String>(User { uid, gid, groups: groups.to_vec(), home: home.into() })
        };
        let table = [
            ("", vec![], user(0, 0, &[0, 10], "/root")),
            ("root", vec![], user(0, 0, &[0, 10], "/root")),
            ("web", vec![], user(33, 34, &[34, 10, 20], "/srv/web")),
            ("33", vec![], user(33, 34, &[34, 10, 20], "/srv/web")),
            ("web:log", vec![], user(33, 20, &[20], "/srv/web")),
            ("web:99", vec![], user(33, 99, &[99], "/srv/web")),
            ("1234", vec![], user(1234, 0, &[0], "/")),
            ("1234:5", vec!["log", "7", "log"], user(1234, 5, &[5, 20, 7], "/")),
            // A name that looks like a number is still a name first.
            ("77", vec![], user(1077, 5, &[5], "/")),
            (":log", vec![], user(0, 20, &[20], "/root")),
            ("nosuch", vec![], Err("unable to find user nosuch: no matching entries in passwd file".into())),
            ("web:nosuch", vec![], Err("unable to find group nosuch: no matching entries in group file".into())),
            ("", vec!["nosuch"], Err("Unable to find group nosuch".into())),
            ("4294967295", vec![], Err("4294967295: uids and gids must be in range 0-2147483647".into())),
        ];
        for (text, add, expected) in table {
            let add: Vec<String> = add.into_iter().map(str::to_owned).collect();
            assert_eq!(files.resolve(text, &add).map_err(|e| e.to_string()), expected, "{text}");
        }
    }
}

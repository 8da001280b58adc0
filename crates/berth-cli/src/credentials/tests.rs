//! Credentials in files, and what is written there.

use std::path::PathBuf;

use super::*;

/// A configuration directory that goes when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn with(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("berth-credentials-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        if !text.is_empty() {
            std::fs::write(path.join("config.json"), text).unwrap();
        }
        Self(path)
    }

    fn config(&self) -> Config {
        Config::load(self.0.to_str())
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.0.join("config.json")).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn keys() {
    for hub in ["", "docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"] {
        assert_eq!(key(hub), HUB);
    }
    for own in ["h:5000", "http://h:5000", "https://h:5000/v1/", "h:5000/team"] {
        assert_eq!(key(own), "h:5000");
    }
}

#[test]
fn found_by_registry() {
    let directory = Directory::with(
        "found",
        r#"{"auths":{"127.0.0.1:5000":{"auth":"dTpwOnE="},"https://index.docker.io/v1/":{"auth":"aHViOng="},
            "https://old.example/v1/":{"auth":"bzpw"},"token.example":{"auth":"dTo=","identitytoken":"t"},
            "empty.example":{}}}"#,
    );
    let config = directory.config();
    let of = |name: &str| config.credentials(&Reference::parse(name).unwrap());
    let local = of("127.0.0.1:5000/a").unwrap();
    assert_eq!((local.username.as_str(), local.password.as_str()), ("u", "p:q"));
    assert_eq!(of("busybox").unwrap().username, "hub");
    assert_eq!(of("old.example/a").unwrap().serveraddress, "https://old.example/v1/");
    let token = of("token.example/a").unwrap();
    assert_eq!((token.username.as_str(), token.identitytoken.as_str()), ("u", "t"));
    assert!(of("other.example/a").is_none() && of("empty.example/a").is_none());
}

#[test]
fn written_as_docker_writes_them() {
    let directory = Directory::with("written", "");
    let auth = AuthConfig { username: "a".into(), password: "p".into(), ..AuthConfig::default() };
    assert_eq!(directory.config().keep_credentials("h:1", &auth).unwrap(), Kept::InFile);
    let token = AuthConfig { username: "b".into(), identitytoken: "t".into(), ..AuthConfig::default() };
    directory.config().keep_credentials(HUB, &token).unwrap();
    let expected = "{\n\t\"auths\": {\n\t\t\"h:1\": {\n\t\t\t\"auth\": \"YTpw\"\n\t\t},\n\t\t\
                    \"https://index.docker.io/v1/\": {\n\t\t\t\"auth\": \"Yjo=\",\n\t\t\t\"identitytoken\": \
                    \"t\"\n\t\t}\n\t}\n}";
    assert_eq!(directory.text(), expected);
    directory.config().give_up_credentials("h:1").unwrap();
    directory.config().give_up_credentials(HUB).unwrap();
    assert_eq!(directory.text(), "{\n\t\"auths\": {}\n}");
}

#[test]
fn others_stay() {
    let directory = Directory::with(
        "stay",
        r#"{"auths":{"a":{"auth":"x","email":"e"},"https://h:1/v2/":{}},"new":[1],"psFormat":"x"}"#,
    );
    let auth = AuthConfig { username: "a".into(), password: "p".into(), ..AuthConfig::default() };
    directory.config().keep_credentials("h:2", &auth).unwrap();
    directory.config().give_up_credentials("h:1").unwrap();
    let text: Value = serde_json::from_str(&directory.text()).unwrap();
    let expected = serde_json::json!({"auths":{"a":{"auth":"x","email":"e"},"h:2":{"auth":"YTpw"}},"new":[1],
        "psFormat":"x"});
    assert_eq!(text, expected);
}

#[test]
fn a_helper_that_is_not_there_is_named() {
    let directory = Directory::with("helper", r#"{"credsStore":"berth-has-no-such-helper"}"#);
    let reason = directory.config().kept_credentials("h:1").unwrap_err();
    assert!(reason.contains("docker-credential-berth-has-no-such-helper"), "{reason}");
    let auth = AuthConfig { username: "a".into(), password: "p".into(), ..AuthConfig::default() };
    let before = directory.text();
    assert!(directory.config().keep_credentials("h:1", &auth).is_err());
    assert_eq!(directory.text(), before);
}

//! Registries that want tokens, break off, lie, or are away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use berth_image::{Credentials, Error, ErrorKind, PullConfig};
use berth_oci::{Digest, Reference, media};

use crate::fixture::{Fixture, Form, Image, Tar, Told, until};
use crate::mock::{Mock, Request, Response};

fn image() -> Image {
    let mut layer = Tar::default();
    for n in 0..50 {
        // Not compressible, so that the layer comes in many pieces.
        let bytes: Vec<u8> =
            (0..2000_u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(n) >> 13) as u8).collect();
        layer.file(&format!("f{n}"), &bytes);
    }
    let mut small = Tar::default();
    small.file("small", b"x");
    Image::new(&[(layer.finish(), Form::Gzip), (small.finish(), Form::Zstd)])
}

async fn pull_as(
    fixture: &Fixture,
    name: &str,
    credentials: Option<Credentials>,
) -> berth_image::Result<berth_image::Pulled> {
    let told = Told::default();
    fixture.store.pull(&Reference::parse(name).unwrap(), None, credentials, &told.listener()).await
}

async fn pull(mock: &Mock) -> (Fixture, berth_image::Result<berth_image::Pulled>) {
    let fixture = Fixture::new(PullConfig::default());
    let result = pull_as(&fixture, &format!("{}/team/app:v1", mock.address), None).await;
    (fixture, result)
}

fn assert_empty(fixture: &Fixture) {
    assert!(fixture.store.list().unwrap().is_empty());
    // Transfers of other layers are stopped, but not waited for.
    until("nothing unfinished is left", || {
        fixture.names("layers/incoming").is_empty() && fixture.names("content/ingest").is_empty()
    });
}

const TOKEN: &str = "the-token";

/// Answers only who bears the token, which only `user:secret` (or anybody) is given.
fn token_registry(image: &Image, anybody: bool) -> Mock {
    let image = image.clone();
    let address = Arc::new(std::sync::OnceLock::<String>::new());
    let realm = address.clone();
    let mock = Mock::new(move |request: &Request| {
        let realm = realm.get().unwrap();
        if request.path.starts_with("/token") {
            let known = request.header("authorization") == Some("Basic dXNlcjpzZWNyZXQ=");
            return match known || anybody {
                true => Response::new(200, format!(r#"{{"token":"{TOKEN}","expires_in":300}}"#)),
                false => Response::new(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}"#),
            };
        }
        if request.header("authorization") == Some(&format!("Bearer {TOKEN}")) {
            return crate::mock::serve_image(&image, request);
        }
        let challenge =
            format!(r#"Bearer realm="http://{realm}/token",service="reg",scope="repository:team/app:pull""#);
        Response::new(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#)
            .with("WWW-Authenticate", challenge)
    });
    address.set(mock.address.clone()).unwrap();
    mock
}

#[tokio::test(flavor = "multi_thread")]
async fn a031_a_token_is_fetched_once_and_used() {
    let mock = token_registry(&image(), true);
    let (_fixture, pulled) = pull(&mock).await;
    assert!(pulled.unwrap().fresh);
    assert_eq!(mock.requests("/token"), 1);
    let seen = mock.seen.lock().unwrap();
    let token = seen.iter().find(|r| r.path.starts_with("/token")).unwrap();
    assert_eq!(token.path, "/token?service=reg&scope=repository%3Ateam%2Fapp%3Apull");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_shown_to_the_token_server() {
    let mock = token_registry(&image(), false);
    let (fixture, pulled) = pull(&mock).await;
    assert_eq!(pulled.unwrap_err().kind(), ErrorKind::Unauthorized);
    let credentials = Credentials { username: "user".into(), password: "secret".into(), ..Credentials::default() };
    let pulled = pull_as(&fixture, &format!("{}/team/app:v1", mock.address), Some(credentials)).await;
    assert!(pulled.unwrap().fresh);
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_authentication_and_its_absence() {
    let mock = Mock::of(&image(), |request, response| match request.header("authorization") {
        Some("Basic dXNlcjpzZWNyZXQ=") => response,
        _ => Response::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let (fixture, pulled) = pull(&mock).await;
    let error = pulled.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().ends_with("no basic auth credentials"), "{error}");
    let name = format!("{}/team/app:v1", mock.address);
    let wrong = Credentials { auth: "dXNlcjp3cm9uZw==".into(), ..Credentials::default() };
    assert_eq!(pull_as(&fixture, &name, Some(wrong)).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    let right = Credentials { auth: "dXNlcjpzZWNyZXQ=".into(), ..Credentials::default() };
    pull_as(&fixture, &name, Some(right)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_do_not_follow_redirects() {
    let image = image();
    let storage = Mock::of(&image, |_, response| response);
    let elsewhere = storage.address.clone();
    let mock = Mock::of(&image, move |request, response| match request.header("authorization") {
        None => Response::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) if request.path.contains("/blobs/") => {
            Response::new(307, "").with("Location", format!("http://{elsewhere}{}", request.path))
        }
        Some(_) => response,
    });
    let fixture = Fixture::new(PullConfig::default());
    let credentials = Credentials { username: "user".into(), password: "secret".into(), ..Credentials::default() };
    pull_as(&fixture, &format!("{}/team/app:v1", mock.address), Some(credentials)).await.unwrap();
    assert_eq!(storage.requests("/blobs/"), 3);
    assert!(storage.seen.lock().unwrap().iter().all(|r| r.header("authorization").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a030_corrupt_layers_leave_nothing() {
    let image = image();
    let layer = Digest::of(&image.blobs[0]);
    for spoil in [
        // A byte changed, in the middle and at the end; cut short and long, both honestly announced.
        |blob: &mut Vec<u8>| blob[5000] ^= 1,
        |blob: &mut Vec<u8>| *blob.last_mut().unwrap() ^= 1,
        |blob: &mut Vec<u8>| blob.truncate(5000),
        |blob: &mut Vec<u8>| blob.push(0),
    ] {
        let wanted = layer.clone();
        let mock = Mock::of(&image, move |request, mut response| {
            if request.path.ends_with(wanted.as_str()) {
                spoil(&mut response.body);
            }
            response
        });
        let (fixture, pulled) = pull(&mock).await;
        let error = pulled.unwrap_err();
        assert_eq!(error.to_string(), format!("filesystem layer verification failed for digest {layer}"));
        assert_empty(&fixture);
        assert!(!fixture.names("content/blobs/sha256").contains(&layer.hex().to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_transfer_goes_on_from_its_byte() {
    let image = image();
    let (layer, whole) = (Digest::of(&image.blobs[0]), image.blobs[0].len());
    let tries = Arc::new(AtomicUsize::new(0));
    let (wanted, counted) = (layer.clone(), tries.clone());
    let mock = Mock::of(&image, move |request, mut response| {
        if request.path.ends_with(wanted.as_str()) && counted.fetch_add(1, Ordering::Relaxed) < 2 {
            let length = response.body.len();
            response.body.truncate(length / 2);
            return response.announcing(length);
        }
        response
    });
    let (_fixture, pulled) = pull(&mock).await;
    pulled.unwrap();
    let seen = mock.seen.lock().unwrap();
    let ranges: Vec<&str> =
        seen.iter().filter(|r| r.path.ends_with(layer.as_str())).filter_map(|r| r.header("range")).collect();
    assert_eq!(ranges.len(), 2);
    assert_eq!(ranges[0], format!("bytes={}-", whole / 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn transient_failures_are_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let mock = Mock::of(&image(), move |_, response| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => Response::new(500, ""),
        1 => Response::new(429, "").with("Retry-After", "1"),
        _ => response,
    });
    let started = std::time::Instant::now();
    let (_fixture, pulled) = pull(&mock).await;
    pulled.unwrap();
    assert!(started.elapsed() >= std::time::Duration::from_millis(1400));
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_about_manifests_and_configurations_are_noticed() {
    let other = Digest::of(b"other");
    let mock = Mock::of(&image(), move |request, response| match request.path.contains("/manifests/") {
        true => Response { headers: Vec::new(), ..response }.with("Docker-Content-Digest", other.as_str()),
        false => response,
    });
    let (fixture, pulled) = pull(&mock).await;
    assert!(pulled.unwrap_err().to_string().starts_with("manifest verification failed"));
    assert_empty(&fixture);
    let image = image();
    let config = Digest::of(&image.config);
    let mock = Mock::of(&image, move |request, mut response| {
        if request.path.ends_with(config.as_str()) {
            response.body[3] ^= 1;
        }
        response
    });
    let (fixture, pulled) = pull(&mock).await;
    assert!(matches!(pulled.unwrap_err(), Error::Verification { what: "image configuration", .. }));
    assert_empty(&fixture);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_is_not_what_the_configuration_promises() {
    let mut layer = Tar::default();
    layer.file("x", b"x");
    let image = Image::with(&[(layer.finish(), Form::Gzip)], |config, _| {
        config["rootfs"]["diff_ids"][0] = Digest::of(b"other").as_str().into();
    });
    let (fixture, pulled) = pull(&Mock::of(&image, |_, r| r)).await;
    assert!(matches!(pulled.unwrap_err(), Error::DiffId { .. }));
    assert_empty(&fixture);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_image_is_refused() {
    let sentence = |change: fn(&mut serde_json::Value, &mut serde_json::Value)| async move {
        let mut layer = Tar::default();
        layer.file("x", b"x");
        let image = Image::with(&[(layer.finish(), Form::Gzip)], change);
        let (fixture, pulled) = pull(&Mock::of(&image, |_, r| r)).await;
        assert_empty(&fixture);
        pulled.unwrap_err().to_string()
    };
    assert!(sentence(|_, m| m["schemaVersion"] = 1.into()).await.contains("schema 1"));
    assert!(sentence(|_, m| m["manifests"] = serde_json::json!([])).await.contains("ambiguous"));
    assert!(
        sentence(|_, m| m["layers"][0]["mediaType"] = media::DOCKER_LAYER_FOREIGN.into()).await.contains("foreign")
    );
    assert!(sentence(|_, m| m["layers"] = serde_json::json!([])).await.contains("0 layers"));
    // A016
    let wrong = sentence(|config, _| config["os"] = "windows".into()).await;
    assert_eq!(wrong, "no matching manifest for linux/amd64: the image is for windows/amd64");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_away_and_a_repository_that_is_denied() {
    let fixture = Fixture::new(PullConfig::default());
    let error = pull_as(&fixture, "127.0.0.1:1/x", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let expected =
        r#"Get "http://127.0.0.1:1/v2/x/manifests/latest": dial tcp 127.0.0.1:1: connect: connection refused"#;
    assert_eq!(error.to_string(), expected);
    let mock = Mock::new(|_| {
        Response::new(403, r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#)
    });
    let (_fixture, pulled) = pull(&mock).await;
    let expected = format!(
        "pull access denied for {}/team/app, repository does not exist or may require 'docker login': \
         denied: requested access to the resource is denied",
        mock.address
    );
    assert_eq!(pulled.unwrap_err().to_string(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a031_mirrors_of_the_hub_are_asked_first() {
    let image = image();
    let broken = Mock::new(|_| Response::new(404, ""));
    let mirror = Mock::of(&image, |_, response| response);
    let mut config = PullConfig::default();
    let mirrors = vec![format!("http://{}", broken.address), format!("http://{}/", mirror.address)];
    config.registries.mirrors = [("docker.io".to_owned(), mirrors)].into();
    let fixture = Fixture::new(config);
    let pulled = pull_as(&fixture, "busybox", None).await.unwrap();
    assert_eq!(*pulled.id.digest(), Digest::of(&image.config));
    assert!(broken.requests("/v2/library/busybox/manifests/latest") > 0);
    assert_eq!(fixture.store.resolve("busybox").unwrap().repo_tags, ["busybox:latest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_pulls_share_one_transfer() {
    let image = image();
    let mock = Mock::of(&image, |request, response| {
        if request.path.contains("/blobs/") {
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        response
    });
    let fixture = Fixture::new(PullConfig::default());
    let names = ["a", "b", "c"].map(|tag| format!("{}/team/app:{tag}", mock.address));
    let (a, b, c) = tokio::join!(
        pull_as(&fixture, &names[0], None),
        pull_as(&fixture, &names[1], None),
        pull_as(&fixture, &names[2], None)
    );
    assert_eq!(a.unwrap().id, b.unwrap().id);
    c.unwrap();
    for blob in &image.blobs {
        assert_eq!(mock.requests(Digest::of(blob).as_str()), 1);
    }
    assert_eq!(fixture.store.list().unwrap()[0].repo_tags.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_is_given_up_leaves_nothing_unfinished() {
    let image = image();
    let layer = Digest::of(&image.blobs[0]);
    let mock = Mock::of(&image, move |request, response| {
        if request.path.ends_with(layer.as_str()) {
            std::thread::sleep(std::time::Duration::from_millis(1500));
        }
        response
    });
    let fixture = Fixture::new(PullConfig::default());
    let name = format!("{}/team/app:v1", mock.address);
    let slow = tokio::time::timeout(std::time::Duration::from_millis(700), pull_as(&fixture, &name, None)).await;
    assert!(slow.is_err());
    assert_empty(&fixture);
    assert!(pull_as(&fixture, &name, None).await.unwrap().fresh);
}

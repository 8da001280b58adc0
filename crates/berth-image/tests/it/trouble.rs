//! Registries that dawdle, that send elsewhere, that have lists within lists, and images that end too early.

use std::time::Duration;

use berth_image::{Credentials, ErrorKind, PullConfig};
use berth_oci::{Descriptor, Digest, Platform, Reference, media};
use serde_json::json;

use crate::fixture::{Fixture, Form, Image, Tar, Told};
use crate::mock::{Mock, Response, serve_image};

fn image(name: &str) -> Image {
    let mut layer = Tar::default();
    layer.file(name, name.repeat(3000).as_bytes());
    Image::new(&[(layer.finish(), Form::Gzip)])
}

async fn pull(
    fixture: &Fixture,
    name: &str,
    platform: Option<&str>,
    credentials: Option<Credentials>,
) -> berth_image::Result<berth_image::Pulled> {
    let platform = platform.map(|text| Platform::parse(text).unwrap());
    fixture.store.pull(&Reference::parse(name).unwrap(), platform, credentials, &Told::default().listener()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_sends_next_to_nothing_is_left() {
    let image = image("slow");
    let layer = Digest::of(&image.blobs[0]);
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let mock = Mock::of(&image, move |request, response| {
        let slow =
            request.path.ends_with(layer.as_str()) && tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        if slow { response.dripping(Duration::from_millis(250)) } else { response }
    });
    let mut config = PullConfig::default();
    config.registries.patience = Some(Duration::from_secs(2));
    let fixture = Fixture::new(config);
    pull(&fixture, &format!("{}/a:1", mock.address), None, None).await.unwrap();
    let seen = mock.seen.lock().unwrap();
    assert!(seen.iter().any(|request| request.header("range").is_some()), "it went on where it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_says_nothing_at_all_is_not_waited_for_for_ever() {
    let mock = Mock::of(&image("silent"), |_, response| {
        std::thread::sleep(Duration::from_secs(3));
        response
    });
    let mut config = PullConfig::default();
    config.registries.patience = Some(Duration::from_millis(100));
    config.registries.attempts = 2;
    let fixture = Fixture::new(config);
    let error = pull(&fixture, &format!("{}/a:1", mock.address), None, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().ends_with("the registry does not answer (timed out)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_goes_to_nobody_who_asks_from_elsewhere() {
    let image = image("elsewhere");
    let thief = Mock::new(|_| Response::new(401, "").with("WWW-Authenticate", "Basic realm=\"come on\""));
    let elsewhere = thief.address.clone();
    let mock = Mock::of(&image, move |request, response| match request.path.contains("/blobs/") {
        true => Response::new(307, "").with("Location", format!("http://{elsewhere}{}", request.path)),
        false => response,
    });
    let fixture = Fixture::new(PullConfig::default());
    let credentials = Credentials { username: "user".into(), password: "secret".into(), ..Credentials::default() };
    let error = pull(&fixture, &format!("{}/a:1", mock.address), None, Some(credentials)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(thief.requests("") > 0);
    assert!(thief.seen.lock().unwrap().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_token_is_exchanged() {
    let image = image("identity");
    let address = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let realm = address.clone();
    let mock = Mock::new(move |request| {
        if request.path == "/token" {
            // Form data, by POST: the refresh token is in no address and no log.
            assert_eq!(request.method, "POST");
            return Response::new(200, r#"{"access_token":"fresh","expires_in":300}"#);
        }
        match request.header("authorization") {
            Some("Bearer fresh") => serve_image(&image, request),
            _ => {
                let realm = realm.get().unwrap();
                let challenge = format!(r#"Bearer realm="http://{realm}/token",service="reg""#);
                Response::new(401, "").with("WWW-Authenticate", challenge)
            }
        }
    });
    address.set(mock.address.clone()).unwrap();
    let fixture = Fixture::new(PullConfig::default());
    let credentials = Credentials { identity_token: "refresh".into(), ..Credentials::default() };
    pull(&fixture, &format!("{}/a:1", mock.address), None, Some(credentials)).await.unwrap();
    assert_eq!(mock.requests("/token"), 1);
}

/// Documents under their digests, and the last one under every tag; blobs of the images.
fn documents(documents: Vec<(&'static str, Vec<u8>)>, images: Vec<Image>) -> Mock {
    Mock::new(move |request| {
        let last = request.path.rsplit('/').next().unwrap();
        if request.path.contains("/manifests/") {
            let named = documents.iter().find(|(_, bytes)| Digest::of(bytes).as_str() == last);
            let found = named.or_else(|| documents.last().filter(|_| !last.contains(':')));
            if let Some((kind, bytes)) = found {
                return Response::new(200, bytes.clone()).with("Content-Type", *kind);
            }
        }
        let answers = images.iter().map(|image| serve_image(image, request));
        answers.into_iter().find(|answer| answer.status < 300).unwrap_or_else(|| Response::new(404, ""))
    })
}

fn index(entries: Vec<serde_json::Value>) -> Vec<u8> {
    json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": entries}).to_string().into_bytes()
}

fn entry(kind: &str, bytes: &[u8], platform: Option<serde_json::Value>) -> serde_json::Value {
    let mut entry = json!(Descriptor::of(kind, bytes));
    if let Some(platform) = platform {
        entry["platform"] = platform;
    }
    entry
}

#[tokio::test(flavor = "multi_thread")]
async fn a027_lists_within_lists_and_attestations() {
    let [arm, amd] = ["arm64", "amd64"].map(|architecture| {
        let mut layer = Tar::default();
        layer.file(architecture, b"x");
        Image::with(&[(layer.finish(), Form::Gzip)], |config, _| config["architecture"] = architecture.into())
    });
    let platform = |architecture: &str| Some(json!({"os": "linux", "architecture": architecture}));
    let unknown = Some(json!({"os": "unknown", "architecture": "unknown"}));
    // The attestation comes first, and is none of what anybody wants.
    let first = index(vec![
        entry(media::OCI_MANIFEST, b"attestation", unknown),
        entry(media::OCI_MANIFEST, &arm.manifest, platform("arm64")),
    ]);
    let second = index(vec![entry(media::OCI_MANIFEST, &amd.manifest, platform("amd64"))]);
    let outer = index(vec![entry(media::OCI_INDEX, &first, None), entry(media::OCI_INDEX, &second, None)]);
    let all = vec![(media::OCI_INDEX, first), (media::OCI_INDEX, second), (media::OCI_INDEX, outer.clone())];
    let mock = documents(all, vec![arm.clone(), amd.clone()]);
    let name = format!("{}/nested:1", mock.address);
    let fixture = Fixture::new(PullConfig::default());
    for (platform, image) in [("linux/amd64", &amd), ("linux/arm64", &arm)] {
        let pulled = pull(&fixture, &name, Some(platform), None).await.unwrap();
        assert_eq!(*pulled.id.digest(), Digest::of(&image.config), "{platform}");
        assert_eq!(pulled.digest, Digest::of(&outer));
    }
    let error = pull(&fixture, &name, Some("linux/s390x"), None).await.unwrap_err();
    assert_eq!(error.to_string(), "no matching manifest for linux/s390x in the manifest list entries");
    let found = fixture.store.look_up(&Reference::parse(&name).unwrap(), None).await.unwrap();
    assert_eq!((found.descriptor.digest, found.platforms.len()), (Digest::of(&outer), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_without_end_end() {
    let mut documents_ = vec![(media::OCI_INDEX, index(vec![]))];
    for _ in 0..6 {
        let inner = documents_.last().unwrap().1.clone();
        documents_.push((media::OCI_INDEX, index(vec![entry(media::OCI_INDEX, &inner, None)])));
    }
    let mock = documents(documents_, Vec::new());
    let fixture = Fixture::new(PullConfig::default());
    let error = pull(&fixture, &format!("{}/deep:1", mock.address), None, None).await.unwrap_err();
    assert!(error.to_string().contains("without end"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_ends_too_early_is_no_layer() {
    // All digests are right: whoever made the image cut it.
    let mut whole = image("cut");
    let mut manifest: serde_json::Value = serde_json::from_slice(&whole.manifest).unwrap();
    let length = whole.blobs[0].len();
    whole.blobs[0].truncate(length * 2 / 3);
    manifest["layers"][0] = json!(Descriptor::of(media::OCI_LAYER_GZIP, &whole.blobs[0]));
    whole.manifest = manifest.to_string().into_bytes();
    let mock = Mock::of(&whole, |_, response| response);
    let fixture = Fixture::new(PullConfig::default());
    let error = pull(&fixture, &format!("{}/cut:1", mock.address), None, None).await.unwrap_err();
    assert!(error.to_string().starts_with("failed to register layer sha256:"), "{error}");
    assert!(fixture.store.list().unwrap().is_empty());
}

//! An image in memory comes by the ordinary path: pulled, named, mounted, held, deleted.

use std::os::fd::AsRawFd;

use berth_image::snapshot::{Writable, mount_overlay};
use berth_image::{DeleteOptions, Deleted, ErrorKind, LayerPhase, Lower, PullEvent, Untagged};
use berth_oci::{Digest, Reference};

use crate::fixture::{Fixture, Form, Image, Tar, Told};

fn image() -> Image {
    let mut base = Tar::default();
    base.directory("etc/", 0o755).file("etc/name", b"base").file("etc/gone", b"x").directory("var/", 0o755);
    base.file("var/old", b"x");
    let mut top = Tar::default();
    top.file("etc/name", b"top").file("etc/.wh.gone", b"").file("var/.wh..wh..opq", b"").file("var/new", b"n");
    Image::new(&[(base.finish(), Form::Gzip), (top.finish(), Form::Plain)])
}

async fn pull(fixture: &Fixture, name: &str, told: &Told) -> berth_image::Pulled {
    fixture.store.pull(&Reference::parse(name).unwrap(), None, None, &told.listener()).await.unwrap()
}

#[tokio::test]
async fn a_pull_tells_its_phases_and_a_second_one_finds_everything() {
    let image = image();
    let fixture = Fixture::embedded(&[("berth/hello", &image)]);
    let told = Told::default();
    let pulled = pull(&fixture, "berth/hello", &told).await;
    assert!(pulled.fresh);
    assert_eq!(*pulled.id.digest(), Digest::of(&image.config));
    assert_eq!(pulled.digest, Digest::of(&image.manifest));
    let events = told.take();
    assert_eq!(events[0], PullEvent::Started { object: "latest".into(), repository: "berth/hello".into() });
    for blob in &image.blobs {
        let phases: Vec<LayerPhase> = events.iter().filter_map(|e| phase_of(e, &Digest::of(blob))).collect();
        assert_eq!(phases.first(), Some(&LayerPhase::PullingFsLayer));
        assert!(phases.contains(&LayerPhase::DownloadComplete));
        assert_eq!(phases.last(), Some(&LayerPhase::PullComplete));
    }
    let finished = |fresh| PullEvent::Finished { reference: "berth/hello:latest".into(), fresh };
    assert_eq!(events.last(), Some(&finished(true)));
    assert!(!pull(&fixture, "berth/hello", &told).await.fresh);
    let events = told.take();
    assert_eq!(events[1..], [PullEvent::Digest(pulled.digest), finished(false)]);
}

fn phase_of(event: &PullEvent, blob: &Digest) -> Option<LayerPhase> {
    match event {
        PullEvent::Layer { layer, phase } if layer == blob => Some(*phase),
        _ => None,
    }
}

#[tokio::test]
async fn an_image_is_found_by_every_name_it_has() {
    let fixture = Fixture::embedded(&[("berth/hello", &image())]);
    let pulled = pull(&fixture, "berth/hello", &Told::default()).await;
    let hex = pulled.id.hex();
    let by_digest = format!("berth/hello@{}", pulled.digest);
    for name in ["berth/hello", "docker.io/berth/hello:latest", hex, &hex[..12], pulled.id.as_str(), &by_digest] {
        assert_eq!(fixture.store.resolve(name).unwrap().id, pulled.id, "{name}");
    }
    let found = fixture.store.resolve("berth/hello").unwrap();
    assert_eq!(found.repo_tags, ["berth/hello:latest"]);
    assert_eq!(found.repo_digests, [by_digest]);
    assert_eq!(found.size, 4 + 1 + 1 + 3 + 1);
    assert_eq!(found.config.config.cmd.as_deref(), Some(&["/bin/true".to_owned()][..]));
    assert_eq!(fixture.store.list().unwrap(), [found]);
    let error = fixture.store.resolve("nosuch").unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotFound, "No such image: nosuch:latest".into()));
    let error = fixture.store.resolve(&"0".repeat(64)).unwrap_err();
    assert_eq!(error.to_string(), format!("No such image: sha256:{}", "0".repeat(64)));
}

#[tokio::test]
async fn layers_merge_into_a_root_that_no_mount_table_shows() {
    let fixture = Fixture::embedded(&[("berth/hello", &image())]);
    pull(&fixture, "berth/hello", &Told::default()).await;
    let image = fixture.store.resolve("berth/hello").unwrap();
    for (round, volatile) in [(0, false), (1, true), (1, true)] {
        let directory = fixture.path().join(format!("container{round}"));
        let writable = match std::fs::create_dir(&directory) {
            Ok(()) => Writable::create(&directory).unwrap(),
            Err(_) => Writable::at(&directory),
        };
        writable.forgive_volatile().unwrap();
        let lowers = fixture.store.root(&image);
        let mounts = || std::fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mount_overlay(&lowers, &writable.upper, &writable.work, volatile, false).unwrap();
        assert!(!mounts().contains(fixture.path().to_str().unwrap()));
        let root = std::path::PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
        assert_eq!(std::fs::read(root.join("etc/name")).unwrap(), b"top");
        assert!(!root.join("etc/gone").exists());
        assert_eq!(crate::fixture::names(&root.join("var")), ["new"]);
        std::fs::write(root.join("etc/written"), b"w").unwrap();
        drop(mount);
        assert!(writable.upper.join("etc/written").exists());
    }
}

#[tokio::test]
async fn deleting_takes_names_first_and_files_with_the_last() {
    let image = image();
    let fixture = Fixture::embedded(&[("berth/hello", &image)]);
    let pulled = pull(&fixture, "berth/hello", &Told::default()).await;
    let found = fixture.store.resolve("berth/hello").unwrap();
    let (chains, labels) = (found.layers, found.config.labels());
    let deleted = fixture.store.delete("berth/hello", DeleteOptions::default()).unwrap();
    assert_eq!(
        deleted,
        [
            Deleted::Untagged {
                name: "berth/hello:latest".into(),
                of: Some(Untagged { image: pulled.id.clone(), labels })
            },
            // It goes along: no event of its own.
            Deleted::Untagged { name: format!("berth/hello@{}", pulled.digest), of: None },
            Deleted::Image(pulled.id.clone()),
            Deleted::Layer(chains[1].clone()),
            Deleted::Layer(chains[0].clone()),
        ]
    );
    assert_eq!(fixture.names("layers"), ["empty", "incoming", "trash"]);
    assert!(fixture.names("content/blobs/sha256").is_empty());
    let error = fixture.store.delete("berth/hello", DeleteOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "No such image: berth/hello:latest");
}

#[tokio::test]
async fn what_a_container_holds_stays() {
    let fixture = Fixture::embedded(&[("berth/hello", &image())]);
    let pulled = pull(&fixture, "berth/hello", &Told::default()).await;
    let (container, id) = ("c0ffee000000".repeat(5), pulled.id.short().to_owned());
    fixture.store.hold(&pulled.id, &container).unwrap();
    let delete = |name: &str, force: bool, running: bool| {
        let running = running.then(|| container.clone()).into_iter().collect();
        fixture.store.delete(name, DeleteOptions { force, running, keep_parents: false })
    };
    assert_eq!(
        delete("berth/hello", false, false).unwrap_err().to_string(),
        format!(
            "conflict: unable to remove repository reference \"berth/hello\" (must force) - \
             container c0ffee000000 is using its referenced image {id}"
        )
    );
    assert_eq!(
        delete(&id, false, false).unwrap_err().to_string(),
        format!(
            "conflict: unable to delete {id} (must be forced) - image is being used by stopped container c0ffee000000"
        )
    );
    assert_eq!(
        delete(&id, true, true).unwrap_err().to_string(),
        format!(
            "conflict: unable to delete {id} (cannot be forced) - \
             image is being used by running container c0ffee000000"
        )
    );
    let lowers = fixture.store.held_root(&pulled.id, &container).unwrap();
    // By force the image goes, but the layers stay under the container.
    assert_eq!(delete("berth/hello", true, false).unwrap().len(), 3);
    assert!(fixture.store.list().unwrap().is_empty());
    let paths = |lowers: &[Lower]| lowers.iter().map(|l| l.path().to_owned()).collect::<Vec<_>>();
    assert_eq!(paths(&fixture.store.held_root(&pulled.id, &container).unwrap()), paths(&lowers));
    assert!(lowers.iter().all(|l| l.path().exists()));
    fixture.store.retain_holds(&|_| false).unwrap();
    assert!(lowers.iter().all(|l| !l.path().exists()));
}

#[tokio::test]
async fn what_no_record_knows_is_swept_at_open() {
    let fixture = Fixture::embedded(&[("berth/hello", &image())]);
    pull(&fixture, "berth/hello", &Told::default()).await;
    let (layers, blobs) = (fixture.names("layers"), fixture.names("content/blobs/sha256"));
    std::fs::create_dir_all(fixture.path().join("layers").join("0".repeat(64)).join("diff/x")).unwrap();
    std::fs::create_dir_all(fixture.path().join("layers/incoming/1-1/diff")).unwrap();
    std::fs::write(fixture.path().join("content/blobs/sha256").join("0".repeat(64)), b"x").unwrap();
    let again = berth_image::ImageStore::open(fixture.path(), fixture.state.clone(), Default::default()).unwrap();
    assert_eq!((fixture.names("layers"), fixture.names("content/blobs/sha256")), (layers, blobs));
    assert!(fixture.names("layers/incoming").is_empty());
    assert!(again.root(&again.resolve("berth/hello").unwrap()).iter().all(|l| l.path().exists()));
}

#[tokio::test]
async fn concurrent_pulls_share_and_an_image_without_layers_mounts() {
    let (one, none) = (image(), Image::new(&[]));
    let fixture = Fixture::embedded(&[("berth/hello", &one), ("berth/none", &none)]);
    let told = Told::default();
    let (a, b, c) = tokio::join!(
        pull(&fixture, "berth/hello", &told),
        pull(&fixture, "berth/hello", &told),
        pull(&fixture, "berth/none", &told)
    );
    assert_eq!(a.id, b.id);
    assert_ne!(a.id, c.id);
    let directory = fixture.path().join("c");
    std::fs::create_dir(&directory).unwrap();
    let writable = Writable::create(&directory).unwrap();
    let lowers = fixture.store.root(&fixture.store.resolve("berth/none").unwrap());
    mount_overlay(&lowers, &writable.upper, &writable.work, true, true).unwrap();
}

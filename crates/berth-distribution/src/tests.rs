//! Uploads and schemes against small servers that behave as real ones rarely do.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use berth_oci::{Digest, Reference};

use crate::client::{Client, Config};
use crate::endpoint::endpoints;
use crate::repository::Repository;
use crate::request::Purpose;
use crate::{Content, Mount, Sending};

/// A registry that knows how far an upload got, and breaks off where it is told to.
#[derive(Default)]
struct Shelf {
    uploads: HashMap<String, Vec<u8>>,
    blobs: HashMap<String, Vec<u8>>,
    /// Bytes of a body after which the connection ends, for one request each.
    cuts: Vec<usize>,
    /// The most that it takes in one request.
    most: Option<usize>,
    log: Vec<String>,
}

fn serve(shelf: Arc<Mutex<Shelf>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shelf = shelf.clone();
            std::thread::spawn(move || drop(one(stream, &shelf)));
        }
    });
    address
}

fn one(mut stream: TcpStream, shelf: &Mutex<Shelf>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length, mut range) = (String::new(), 0, None);
    reader.read_line(&mut line)?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim_end().to_ascii_lowercase();
        match header.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("content-range", value)) => range = Some(value.split('-').next().unwrap().parse::<usize>().unwrap()),
            Some(_) => {}
            None => break,
        }
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap_or_default().to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut shelf_ = shelf.lock().unwrap();
    shelf_.log.push(format!("{method} {target}"));
    let id = path.rsplit('/').next().unwrap().to_owned();
    let cut = if length > 0 && !shelf_.cuts.is_empty() { Some(shelf_.cuts.remove(0)) } else { None };
    let mut body = vec![0; cut.unwrap_or(length).min(length)];
    let too_much = shelf_.most.is_some_and(|most| length > most);
    reader.read_exact(&mut body)?;
    let mut answer = |head: &str| stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
    match method.as_str() {
        "POST" => {
            let id = format!("u{}", shelf_.uploads.len());
            shelf_.uploads.insert(id.clone(), Vec::new());
            answer(&format!("202 x\r\nLocation: /v2/a/blobs/uploads/{id}\r\nContent-Length: 0"))
        }
        "HEAD" => match shelf_.blobs.contains_key(&id) {
            true => answer("200 x\r\nContent-Length: 3"),
            false => answer("404 x\r\nContent-Length: 0"),
        },
        "GET" => {
            let last = shelf_.uploads[&id].len().saturating_sub(1);
            answer(&format!("204 x\r\nLocation: /v2/a/blobs/uploads/{id}\r\nRange: 0-{last}"))
        }
        _ if too_much => answer("413 x\r\nContent-Length: 0"),
        _ => {
            let there = shelf_.uploads.get_mut(&id).unwrap();
            assert!(range.is_none_or(|range| range == there.len()), "it goes on where it was");
            there.extend(&body);
            if cut.is_some() {
                return Ok(());
            }
            if method == "PATCH" {
                return answer(&format!("202 x\r\nLocation: /v2/a/blobs/uploads/{id}\r\nContent-Length: 0"));
            }
            let bytes = shelf_.uploads.remove(&id).unwrap();
            let digest = query.replace("digest=sha256%3A", "sha256:");
            assert_eq!(Digest::of(&bytes).as_str(), digest);
            shelf_.blobs.insert(digest, bytes);
            answer("201 x\r\nContent-Length: 0")
        }
    }
}

#[derive(Debug)]
struct Bytes(Vec<u8>);

impl Content for Bytes {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.0[offset as usize..].to_vec())))
    }
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i.wrapping_mul(31) >> 3) as u8).collect()
}

async fn upload(shelf: Shelf, bytes: &[u8]) -> (Arc<Mutex<Shelf>>, Vec<Sending>) {
    let shelf = Arc::new(Mutex::new(shelf));
    let host = serve(shelf.clone());
    let repository =
        Client::new(Config::default()).repository_for_push(&Reference::parse(&format!("{host}/a")).unwrap(), None);
    let digest = Digest::of(bytes);
    assert!(!repository.has_blob(&digest).await.unwrap());
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let upload = repository.begin_upload().await.unwrap();
    let tell = Arc::new(move |sending| telling.lock().unwrap().push(sending));
    upload.send(&digest, Arc::new(Bytes(bytes.to_vec())), tell).await.unwrap();
    assert!(repository.has_blob(&digest).await.unwrap());
    assert_eq!(shelf.lock().unwrap().blobs[digest.as_str()], bytes);
    let told = told.lock().unwrap().clone();
    (shelf, told)
}

#[tokio::test]
async fn an_upload_goes_at_once() {
    let (shelf, told) = upload(Shelf::default(), &content(1_000_000)).await;
    let log = shelf.lock().unwrap().log.clone();
    assert_eq!(log.iter().filter(|line| line.starts_with("PUT")).count(), 1);
    assert!(!log.iter().any(|line| line.starts_with("PATCH")));
    assert_eq!(told.last(), Some(&Sending::Bytes(1_000_000)));
    let (shelf, _) = upload(Shelf::default(), b"").await;
    assert_eq!(shelf.lock().unwrap().blobs.len(), 1);
}

#[tokio::test]
async fn a_broken_upload_goes_on_where_it_was() {
    let bytes = content(700_000);
    let (shelf, told) = upload(Shelf { cuts: vec![300_000, 100_001], ..Shelf::default() }, &bytes).await;
    // It was asked twice how far it got, and took every byte once.
    assert_eq!(shelf.lock().unwrap().log.iter().filter(|line| line.starts_with("GET")).count(), 2);
    assert!(told.contains(&Sending::Bytes(300_000)) && told.contains(&Sending::Bytes(400_001)), "{told:?}");
    assert!(told.iter().any(|sending| matches!(sending, Sending::Pause(_))));
}

#[tokio::test]
async fn what_is_too_much_at_once_goes_in_pieces() {
    let bytes = content(40 << 20);
    let (shelf, _) = upload(Shelf { most: Some(16 << 20), ..Shelf::default() }, &bytes).await;
    let shelf = shelf.lock().unwrap();
    assert_eq!(shelf.log.iter().filter(|line| line.starts_with("PATCH")).count(), 3);
}

#[tokio::test]
async fn a_mount_that_is_refused_is_an_upload() {
    let shelf = Arc::new(Mutex::new(Shelf::default()));
    let host = serve(shelf.clone());
    let reference = Reference::parse(&format!("{host}/a")).unwrap();
    let repository = Client::new(Config::default()).repository_for_push(&reference, None);
    let digest = Digest::of(b"x");
    let Mount::Upload(upload) = repository.mount(&digest, "b/c").await.unwrap() else { panic!("nobody has it") };
    upload.send(&digest, Arc::new(Bytes(b"x".to_vec())), Arc::new(|_| ())).await.unwrap();
    assert!(shelf.lock().unwrap().log[0].ends_with(&format!("?mount=sha256%3A{}&from=b%2Fc", digest.hex())));
}

/// An insecure registry that is no friend of TLS: it hangs up on whoever says hello.
#[tokio::test]
async fn the_other_scheme_is_tried_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut first = [0; 1024];
            let got = stream.read(&mut first).unwrap_or(0);
            if first[..got].starts_with(b"HEAD ") {
                let _ = stream.write_all(b"HTTP/1.1 200 x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n");
            }
        }
    });
    let config = Config { insecure: vec!["10.0.0.0/8".into()], ..Config::default() };
    // As it would be for 10.0.0.1, but here.
    let endpoints = endpoints("10.0.0.1:5000", &config).into_iter().map(|mut endpoint| {
        endpoint.host.clone_from(&host);
        endpoint
    });
    let endpoints: Vec<_> = endpoints.collect();
    assert_eq!(endpoints[0].scheme, "https");
    let repository = Repository::new(Client::new(config), endpoints, "a", None, Purpose::Pull);
    let began = Instant::now();
    assert!(repository.has_blob(&Digest::of(b"x")).await.unwrap());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

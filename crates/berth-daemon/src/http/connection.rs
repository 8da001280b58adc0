//! One client's connection: requests one after the other, until it closes or is taken over.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use berth_connection::Stream;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;

use super::answer::Answer;
use super::stream::Patient;
use super::takeover::Slot;

/// A request being answered.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Serves a connection to its end. `respond` answers a request, or leaves a takeover in the slot and never ends.
pub(crate) async fn serve<F>(stream: Stream, respond: F)
where
    F: Fn(Request<Incoming>, Slot) -> Answering + Send,
{
    let slot = Slot::default();
    let busy = Arc::new(AtomicBool::new(false));
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let long = request.method() == http::Method::PUT;
        let (busy, answering) = (busy.clone(), respond(request, slot.clone()));
        // Where the request itself is long (an archive), its end must be seen: a client that went away sends no more.
        busy.store(!long, Ordering::Relaxed);
        Box::pin(async move {
            let answer = answering.await;
            busy.store(false, Ordering::Relaxed);
            Ok::<_, Infallible>(answer)
        })
    });
    let io = TokioIo::new(Patient { stream, busy: busy.clone() });
    let mut connection = http1::Builder::new().title_case_headers(true).serve_connection(io, service);
    let taken = std::future::poll_fn(|cx| {
        let polled = Pin::new(&mut connection).poll(cx);
        match slot.take() {
            Some(takeover) => Poll::Ready(Some(takeover)),
            // An error here is a client that broke off or spoke no HTTP; there is nobody to tell.
            None => polled.map(|_| None),
        }
    })
    .await;
    if let Some(takeover) = taken {
        let parts = connection.into_parts();
        takeover.run(parts.io.into_inner().stream, parts.read_buf).await;
    }
}

//! The table of operations.

use http::Method;

use super::{
    Action, Operation, archive, check, commit, containers, disk_usage, down, exec, figures, history, image_contents,
    image_making, images, load, log, networks, prune, prune_images, pull, push, registries, save, stdio, system, tag,
    update, volumes,
};

macro_rules! operations {
    ($($method:ident $pattern:literal => $action:expr;)*) => {
        &[$(Operation { method: Method::$method, pattern: $pattern, action: $action }),*]
    };
}

macro_rules! serve {
    ($handler:path) => {
        Serve(|call| Box::pin($handler(call)))
    };
}

use Action::{NotYet, Serve, Swarm};

const COPY: &str = "copy files by the old copy call (it went with API 1.24; use archive)";
const NETWORKS: &str = "have networks besides bridge, host and none";
const PLUGINS: &str = "have plugins";
const BUILD: &str = "build images";
const CHECKPOINTS: &str = "checkpoint containers";
const SWARMS: &str = "join or make swarms";

/// Every operation of the API. Where two patterns fit, the first counts.
pub(crate) const OPERATIONS: &[Operation] = operations! {
    // The daemon.
    HEAD "/_ping" => serve!(system::ping);
    GET "/_ping" => serve!(system::ping);
    GET "/version" => serve!(system::version);
    GET "/info" => serve!(system::info);
    GET "/events" => serve!(system::events);
    GET "/system/df" => serve!(disk_usage::usage);
    // Ours: for a service manager.
    POST "/berth/stop-all" => serve!(down::stop_all);
    // Ours: is everything here, and what it was?
    POST "/berth/check" => serve!(check::check);
    POST "/auth" => serve!(registries::login);
    // Containers.
    GET "/containers/json" => serve!(containers::list);
    POST "/containers/create" => serve!(containers::create);
    // Ours: what create and start would do.
    POST "/containers/plan" => serve!(containers::plan);
    GET "/containers/prune" => serve!(prune::would_go);
    POST "/containers/prune" => serve!(prune::containers);
    GET "/containers/{name}/json" => serve!(containers::inspect);
    GET "/containers/{name}/top" => serve!(figures::top);
    GET "/containers/{name}/logs" => serve!(log::logs);
    GET "/containers/{name}/changes" => serve!(archive::changes);
    GET "/containers/{name}/export" => serve!(archive::export);
    GET "/containers/{name}/stats" => serve!(figures::stats);
    POST "/containers/{name}/resize" => serve!(containers::resize);
    POST "/containers/{name}/start" => serve!(containers::start);
    POST "/containers/{name}/stop" => serve!(containers::stop);
    POST "/containers/{name}/restart" => serve!(containers::restart);
    POST "/containers/{name}/kill" => serve!(containers::kill);
    POST "/containers/{name}/update" => serve!(update::update);
    POST "/containers/{name}/rename" => serve!(containers::rename);
    POST "/containers/{name}/pause" => serve!(containers::pause);
    POST "/containers/{name}/unpause" => serve!(containers::unpause);
    POST "/containers/{name}/attach" => serve!(stdio::attach);
    GET "/containers/{name}/attach/ws" => serve!(stdio::attach_websocket);
    POST "/containers/{name}/wait" => serve!(stdio::wait);
    DELETE "/containers/{name}/checkpoints/{checkpoint}" => NotYet(CHECKPOINTS);
    GET "/containers/{name}/checkpoints" => NotYet(CHECKPOINTS);
    POST "/containers/{name}/checkpoints" => NotYet(CHECKPOINTS);
    HEAD "/containers/{name}/archive" => serve!(archive::head);
    GET "/containers/{name}/archive" => serve!(archive::get);
    PUT "/containers/{name}/archive" => serve!(archive::put);
    POST "/containers/{name}/copy" => NotYet(COPY);
    POST "/containers/{name}/exec" => serve!(exec::create);
    DELETE "/containers/{name}" => serve!(containers::remove);
    POST "/exec/{id}/start" => serve!(exec::start);
    POST "/exec/{id}/resize" => serve!(exec::resize);
    GET "/exec/{id}/json" => serve!(exec::inspect);
    // Images.
    GET "/images/json" => serve!(images::list);
    // Ours: what a pull would do.
    GET "/images/plan" => serve!(pull::plan);
    GET "/images/search" => serve!(registries::find);
    GET "/images/get" => serve!(save::several);
    POST "/images/create" => serve!(pull::create);
    POST "/images/load" => serve!(load::load);
    POST "/images/prune" => serve!(prune_images::prune_images);
    GET "/images/prune" => serve!(prune_images::would_go);
    GET "/images/{name}/get" => serve!(save::one);
    GET "/images/{name}/history" => serve!(history::history);
    GET "/images/{name}/json" => serve!(images::inspect);
    // Ours: what is in an image.
    GET "/images/{name}/explain" => serve!(image_contents::explain);
    GET "/images/{name}/diff" => serve!(image_contents::diff);
    POST "/images/{name}/flatten" => serve!(image_making::flatten);
    POST "/images/{name}/rebase" => serve!(image_making::rebase);
    POST "/images/{name}/push" => serve!(push::push);
    POST "/images/{name}/tag" => serve!(tag::tag);
    DELETE "/images/{name}" => serve!(images::remove);
    GET "/distribution/{name}/json" => serve!(push::distribution);
    POST "/commit" => serve!(commit::commit);
    POST "/build" => NotYet(BUILD);
    POST "/build/prune" => serve!(prune_images::build_cache);
    GET "/build/prune" => serve!(prune_images::build_cache);
    POST "/build/cancel" => NotYet(BUILD);
    POST "/session" => NotYet(BUILD);
    POST "/grpc" => NotYet(BUILD);
    // Networks and volumes.
    GET "/networks" => serve!(networks::list);
    GET "/networks/prune" => serve!(networks::prune);
    POST "/networks/create" => NotYet(NETWORKS);
    POST "/networks/prune" => serve!(networks::prune);
    POST "/networks/{name}/connect" => NotYet(NETWORKS);
    POST "/networks/{name}/disconnect" => NotYet(NETWORKS);
    GET "/networks/{name}" => serve!(networks::inspect);
    DELETE "/networks/{name}" => serve!(networks::remove);
    GET "/volumes" => serve!(volumes::list);
    POST "/volumes/create" => serve!(volumes::create);
    POST "/volumes/prune" => serve!(volumes::prune);
    GET "/volumes/{name}" => serve!(volumes::inspect);
    PUT "/volumes/{name}" => Swarm;
    DELETE "/volumes/{name}" => serve!(volumes::remove);
    // Plugins: there are none.
    GET "/plugins" => serve!(system::plugins);
    GET "/plugins/privileges" => NotYet(PLUGINS);
    POST "/plugins/pull" => NotYet(PLUGINS);
    POST "/plugins/create" => NotYet(PLUGINS);
    GET "/plugins/{name}/json" => serve!(system::plugin);
    POST "/plugins/{name}/enable" => NotYet(PLUGINS);
    POST "/plugins/{name}/disable" => NotYet(PLUGINS);
    POST "/plugins/{name}/upgrade" => NotYet(PLUGINS);
    POST "/plugins/{name}/push" => NotYet(PLUGINS);
    POST "/plugins/{name}/set" => NotYet(PLUGINS);
    DELETE "/plugins/{name}" => serve!(system::plugin);
    // Swarm.
    GET "/swarm" => Swarm;
    POST "/swarm/init" => NotYet(SWARMS);
    POST "/swarm/join" => NotYet(SWARMS);
    POST "/swarm/leave" => Swarm;
    POST "/swarm/update" => Swarm;
    GET "/swarm/unlockkey" => Swarm;
    POST "/swarm/unlock" => Swarm;
    GET "/nodes" => Swarm;
    GET "/nodes/{id}" => Swarm;
    DELETE "/nodes/{id}" => Swarm;
    POST "/nodes/{id}/update" => Swarm;
    GET "/services" => Swarm;
    POST "/services/create" => Swarm;
    GET "/services/{id}/logs" => Swarm;
    POST "/services/{id}/update" => Swarm;
    GET "/services/{id}" => Swarm;
    DELETE "/services/{id}" => Swarm;
    GET "/tasks" => Swarm;
    GET "/tasks/{id}/logs" => Swarm;
    GET "/tasks/{id}" => Swarm;
    GET "/secrets" => Swarm;
    POST "/secrets/create" => Swarm;
    POST "/secrets/{id}/update" => Swarm;
    GET "/secrets/{id}" => Swarm;
    DELETE "/secrets/{id}" => Swarm;
    GET "/configs" => Swarm;
    POST "/configs/create" => Swarm;
    POST "/configs/{id}/update" => Swarm;
    GET "/configs/{id}" => Swarm;
    DELETE "/configs/{id}" => Swarm;
};

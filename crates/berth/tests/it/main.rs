//! What users were promised, tried the way they would try it: real daemons, images, registries and clients.
//!
//! A test that bears a row's id (`a101_exit_codes`) is that row's check, and runs twice: with our command line and
//! with the real `docker`. Set `BERTH_TEST_HOST=unix:///path` to run the rows against another engine, which shows
//! that the test is right. Start reading at `host.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]

#[macro_use]
mod host;
mod certificates;
mod dockerd;
mod forward_proxy;
mod leftovers;
mod mock_registry;
mod mock_web;
mod namespaces;
mod registry;
mod stalling;
mod terminal;

mod again;
mod ancestry;
mod archive_peers;
mod archives;
mod bollard_client;
mod bundle;
mod clients;
mod commands;
mod commit;
mod completion;
mod compose;
mod concepts;
mod config;
mod contexts;
mod debian;
mod devices;
mod dry_run;
mod echoes;
mod endings;
mod events;
mod faults;
mod figures;
mod files;
mod forms;
mod full_disk;
mod health;
mod hostile;
mod hosts;
mod image_contents;
mod image_events;
mod image_removal;
mod images;
mod interaction;
mod interop;
mod isolation;
mod keeping;
mod killed;
mod lifecycle;
mod lists;
mod log_services;
mod logging;
mod login;
mod login_helpers;
mod manifest;
mod neighbours;
mod ondemand;
mod peers;
mod plugins;
mod proxies;
mod prunes;
mod pull;
mod push;
mod reboot;
mod recovery;
mod resources;
mod restart;
mod run;
mod runtimes;
mod scale;
mod sdk;
mod search;
mod service;
mod space;
mod storage;
mod sysv;
mod template_fields;
mod templates;
mod units;
mod unkept;
mod unreliable;
mod versions;
mod volumes;
mod volumes_hostile;
mod volumes_mounts;

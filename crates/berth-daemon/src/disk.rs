//! How much of the disk a directory takes.

pub(crate) use berth_engine::volumes::disk_usage as usage;

//! Images: layers, snapshots, pulling and unpacking, names.

//! Control groups, v1 and v2: where a container's processes are counted and limited.

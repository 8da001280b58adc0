//! Networks: bridges, endpoints, addresses, the way out.

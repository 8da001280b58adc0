//! Compiles a seccomp profile to BPF, once, without libseccomp.

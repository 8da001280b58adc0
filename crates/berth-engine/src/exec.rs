//! Exec sessions: further processes in running containers.

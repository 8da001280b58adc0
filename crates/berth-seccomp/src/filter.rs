//! A compiled filter, as `seccomp(2)` takes it and as it travels between processes.

use crate::Error;

/// One classic BPF instruction: the kernel's `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation, size and mode.
    pub code: u16,
    /// Instructions to skip where the condition holds.
    pub jt: u8,
    /// Instructions to skip where it does not.
    pub jf: u8,
    /// Constant, offset or return value.
    pub k: u32,
}

/// The most instructions the kernel takes in one filter (`BPF_MAXINSNS`).
pub(crate) const MAX_INSTRUCTIONS: usize = 4096;

/// What an encoded filter begins with; the last byte is the version of the encoding.
const MAGIC: [u8; 4] = *b"bsf\x01";
const HEADER: usize = 8;
const INSTRUCTION: usize = size_of::<Instruction>();

/// `SECCOMP_FILTER_FLAG_*` (linux/seccomp.h).
pub(crate) const FLAG_TSYNC: u32 = 1 << 0;
pub(crate) const FLAG_LOG: u32 = 1 << 1;
pub(crate) const FLAG_SPEC_ALLOW: u32 = 1 << 2;
/// `seccomp(2)` returns a descriptor for notifications.
pub(crate) const FLAG_NEW_LISTENER: u32 = 1 << 3;
pub(crate) const FLAG_TSYNC_ESRCH: u32 = 1 << 4;
pub(crate) const FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;

/// A compiled seccomp filter.
///
/// Encoded as 4 bytes of magic, the flags (u32) and the program (8 bytes an instruction), all in the machine's byte
/// order: it is for another process on this machine, not for a file that outlives an upgrade.
#[derive(Clone, PartialEq, Eq)]
pub struct Filter {
    bytes: Vec<u8>,
}

impl Filter {
    pub(crate) fn new(program: &[Instruction], flags: u32) -> Result<Filter, Error> {
        if program.len() > MAX_INSTRUCTIONS {
            return Err(Error::TooLong { instructions: program.len() });
        }
        let mut bytes = Vec::with_capacity(HEADER + program.len() * INSTRUCTION);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&flags.to_ne_bytes());
        for instruction in program {
            bytes.extend_from_slice(&instruction.code.to_ne_bytes());
            bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
            bytes.extend_from_slice(&instruction.k.to_ne_bytes());
        }
        Ok(Filter { bytes })
    }

    /// The whole filter, for [`Filter::from_bytes`] in another process.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes up a filter that [`Filter::as_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Filter, Error> {
        let program = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.get(4..)).ok_or(Error::Encoding("no header"))?;
        let instructions = program.len() / INSTRUCTION;
        if !program.len().is_multiple_of(INSTRUCTION) || instructions == 0 {
            return Err(Error::Encoding("it ends within an instruction"));
        }
        if instructions > MAX_INSTRUCTIONS {
            return Err(Error::TooLong { instructions });
        }
        Ok(Filter { bytes: bytes.to_vec() })
    }

    /// The program alone: an array of `struct sock_filter` for `struct sock_fprog`.
    pub fn program(&self) -> &[u8] {
        &self.bytes[HEADER..]
    }

    /// How many instructions the program has.
    pub fn len(&self) -> usize {
        self.program().len() / INSTRUCTION
    }

    /// A filter is never empty; this is here because `len` is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The instructions, decoded.
    pub fn instructions(&self) -> impl Iterator<Item = Instruction> + '_ {
        self.program().chunks_exact(INSTRUCTION).map(|raw| Instruction {
            code: u16::from_ne_bytes([raw[0], raw[1]]),
            jt: raw[2],
            jf: raw[3],
            k: u32::from_ne_bytes([raw[4], raw[5], raw[6], raw[7]]),
        })
    }

    /// The `SECCOMP_FILTER_FLAG_*` bits to give to `seccomp(2)` with `SECCOMP_SET_MODE_FILTER`.
    pub fn flags(&self) -> u32 {
        let flags = &self.bytes[MAGIC.len()..HEADER];
        u32::from_ne_bytes([flags[0], flags[1], flags[2], flags[3]])
    }

    /// Whether the profile notifies: then `seccomp(2)` returns a listener, which goes to the profile's `listenerPath`.
    pub fn notifies(&self) -> bool {
        self.flags() & FLAG_NEW_LISTENER != 0
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").field("instructions", &self.len()).field("flags", &self.flags()).finish()
    }
}

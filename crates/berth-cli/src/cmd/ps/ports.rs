//! The PORTS column: `0.0.0.0:18080->80/tcp, 9000/tcp`, with runs of ports drawn together.

use berth_api::summary::Port;

/// Ports in the order of their numbers; neighbours that differ by one in every number become a range.
pub(super) fn display(ports: &[Port]) -> String {
    let mut sorted: Vec<&Port> = ports.iter().collect();
    sorted.sort_by(|a, b| {
        (a.private_port, &a.ip, a.public_port, &a.kind).cmp(&(b.private_port, &b.ip, b.public_port, &b.kind))
    });
    let mut runs: Vec<Run> = Vec::new();
    for port in sorted {
        match runs.iter_mut().find(|run| run.takes(port)) {
            Some(run) => run.last = port.private_port,
            None => runs.push(Run { first: port, last: port.private_port }),
        }
    }
    runs.iter().map(Run::display).collect::<Vec<_>>().join(", ")
}

/// Consecutive ports.
struct Run<'a> {
    first: &'a Port,
    last: u16,
}

impl Run<'_> {
    fn takes(&self, port: &Port) -> bool {
        let step = port.private_port.wrapping_sub(self.first.private_port);
        port.private_port == self.last.wrapping_add(1)
            && port.ip == self.first.ip
            && port.kind == self.first.kind
            && match (self.first.public_port, port.public_port) {
                (0, 0) => true,
                (0, _) | (_, 0) => false,
                (first, public) => public == first.wrapping_add(step),
            }
    }

    fn display(&self) -> String {
        let first = self.first;
        let range = |from: u16| {
            let to = from + (self.last - first.private_port);
            if from == to { from.to_string() } else { format!("{from}-{to}") }
        };
        let inside = format!("{}/{}", range(first.private_port), first.kind);
        if first.public_port == 0 {
            return inside;
        }
        let ip = if first.ip.contains(':') { format!("[{}]", first.ip) } else { first.ip.clone() };
        format!("{ip}:{}->{inside}", range(first.public_port))
    }
}

/// What a member of a group is.
///
///                 keepalived starts                    keepalived: MASTER
///     unknown ────────────────────────▶ backup ◀──────────────────────────▶ master
///                                         ▲        keepalived: BACKUP          │
///                          keepalived:    │                                    │ keepalived ended
///                          BACKUP         │        stripped of its             ▼
///                                       fault ◀─────────────────────────── headless
///                                                  addresses
public enum MemberState: UInt8, Hashable, Sendable, CaseIterable {
    /// Nothing is known yet.
    case unknown = 0
    case master = 1
    case backup = 2
    /// It cannot become master: keepalived says so, it does not run, or it does not react.
    case fault = 3
    /// keepalived ended while it was master: the addresses are still there and packets are forwarded, but nobody advertises.
    case headless = 4
}

/// Whether an external gateway answers.
public enum Reachability: UInt8, Hashable, Sendable, CaseIterable {
    case unknown = 0
    case reachable = 1
    case unreachable = 2

    /// For the order of candidates: less is better.
    var rank: Int {
        switch self {
        case .reachable: 0
        case .unknown: 1
        case .unreachable: 2
        }
    }
}

/// What is known of a peer host.
///
///     unknown ──pulse──▶ alive ──no pulse, but echo replies──▶ absent
///        │                 ▲  ╲                                  │
///        │ asked for 1 s   │pulse ╲ no sign for 80 ms            │ no sign for 80 ms
///        ▼                 │        ▼                            │
///       dead ◀─────────────┴────── dead ◀────────────────────────┘
///
/// Any sign of a dead one brings it back: a pulse to alive, an echo reply or "port unreachable" to absent.
public enum PeerLiveness: Hashable, Sendable {
    /// Never a sign of life, and not asked for long enough.
    case unknown
    case alive
    /// Its kernel answers and its agent does not: nothing that it said last need be true any more, and VRRP decides.
    case absent
    case dead
}

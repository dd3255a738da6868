import Addressing
import NetworkModel

/// What the agents of two hosts tell each other in one datagram. It is made for one receiver.
///
/// Entries carry change numbers of the sender. A datagram says that its entries are all those of the receiver's routers whose number lies
/// in `base + 1 ... upTo`; so a receiver that holds everything up to `base` then holds everything up to `upTo`, and says so (`ack`).
struct Pulse: Hashable, Sendable {
    /// What a member says of itself.
    struct Entry: Hashable, Sendable {
        var id: ResourceID
        var state: MemberState
        var isDraining: Bool
        /// It is master and asks for a successor.
        var isYielding: Bool
        /// It has told its keepalived to take a vacant office.
        var isTaking: Bool
        var gateway: Reachability
        /// Of a master: the term of its claim, 0 when there was a better claim. Of others: the highest term seen.
        var term: UInt32
        /// The sender's change number of this entry.
        var number: UInt32
    }

    /// Another host that the sender hears.
    struct Heard: Hashable, Sendable {
        var endpoint: IPAddress
        /// Not only its kernel, its agent.
        var isAlive: Bool
    }

    /// Differs for every start of the sender.
    var startID: UInt64
    /// The receiver's pulses reach the sender.
    var hearsReceiver: Bool
    /// The start of the receiver to which `ack` belongs.
    var ackStartID: UInt64
    /// The sender holds the receiver's entries up to this change number.
    var ack: UInt32
    /// The sender's newest change number.
    var latest: UInt32
    var base: UInt32
    var upTo: UInt32
    var heard: [Heard] = []
    var entries: [Entry] = []
}

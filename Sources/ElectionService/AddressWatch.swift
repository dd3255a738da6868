import Addressing
import Election
import NetworkModel

/// Which of a host's external addresses to ask for next, and for which of them somebody else answers (RFC 5227 calls that a conflict).
///
///              another one answers              again, to the next request
///     alone ─────────────────────▶ suspected ─────────────────────────────▶ disputed
///       ▲                              │                                        │
///       └──────────────────────────────┴────────────────────────────────────────┘
///                  `silencesUntilAlone` requests in a row without another one's answer
///
/// An address that moves from one router to another is answered for by both for a moment: once does not count. A new address is asked for at once,
/// the others by turns. Time is monotonic milliseconds.
struct AddressWatch {
    static let intervalMilliseconds = 30_000
    /// While another one is suspected, or known.
    static let retryMilliseconds = 1_000
    static let answersUntilDisputed = 2
    static let silencesUntilAlone = 3
    /// Requests are broadcasts, which every host of the external network receives. With more addresses than are asked for in an interval, each
    /// waits longer.
    static let maximumRequests = 20

    private struct Place: Hashable {
        var bridge: String
        var address: IPAddress
    }

    private struct Entry {
        var nextRequest: Int
        var isAsked = false
        /// Who else answered the last request.
        var other: MACAddress?
        /// Requests in a row that another one answered, short silences in between included.
        var answers = 0
        var silences = 0
        /// Whose the address is too.
        var rival: MACAddress?

        mutating func requested(now: Int) {
            if isAsked { judge() }
            isAsked = true
            other = nil
            nextRequest = now + (answers > 0 ? retryMilliseconds : intervalMilliseconds)
        }

        /// What the last request brought.
        private mutating func judge() {
            if let other {
                answers += 1
                silences = 0
                if answers >= answersUntilDisputed { rival = other }
            } else {
                silences += 1
                if silences >= silencesUntilAlone { (answers, rival) = (0, nil) }
            }
        }

        mutating func answered(by mac: MACAddress, now: Int) {
            other = mac
            nextRequest = min(nextRequest, now + retryMilliseconds)
        }
    }

    private(set) var addresses: [ExternalAddress] = []
    private var entries: [ExternalAddress: Entry] = [:]
    private var owners: [Place: [ExternalAddress]] = [:]

    /// The addresses that there are now.
    mutating func update(_ addresses: [ExternalAddress], now: Int) {
        guard addresses != self.addresses else { return }
        self.addresses = addresses
        let before = entries
        entries = Dictionary(addresses.map { ($0, before[$0] ?? Entry(nextRequest: now)) }, uniquingKeysWith: { $1 })
        owners = Dictionary(grouping: entries.keys) { Place(bridge: $0.bridge, address: $0.address) }
    }

    /// Those to ask for now, which counts as asked.
    mutating func requests(now: Int) -> [ExternalAddress] {
        let due = entries.filter { $0.value.nextRequest <= now }.sorted { $0.value.nextRequest < $1.value.nextRequest }
        let chosen = due.prefix(Self.maximumRequests).map(\.key)
        for address in chosen { entries[address]?.requested(now: now) }
        return chosen
    }

    /// Somebody says that an address is at a MAC.
    mutating func answered(_ address: IPAddress, on bridge: String, by mac: MACAddress, now: Int) {
        for owner in owners[Place(bridge: bridge, address: address)] ?? [] where owner.mac != mac {
            entries[owner]?.answered(by: mac, now: now)
        }
    }

    /// Who else has addresses of this host.
    var rivals: [ExternalAddress: MACAddress] { entries.compactMapValues(\.rival) }
}

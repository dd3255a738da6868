import Addressing

/// An address of a link.
public struct LinkAddress: Hashable, Sendable {
    public var link: String
    public var address: InterfaceAddress

    public init(link: String, address: InterfaceAddress) {
        self.link = link
        self.address = address
    }
}

/// A route of a table. `destination` of length 0 is the default route. One with several next hops shares its traffic among
/// them by connection (ECMP, RFC 2992).
public struct Route: Hashable, Sendable {
    /// What routes where no ``RoutingRule`` says otherwise (`RT_TABLE_MAIN`).
    public static let mainTable: UInt32 = 254

    /// One way to the destination.
    public struct NextHop: Hashable, Sendable, Comparable {
        /// Nil for a destination that is on the link.
        public var gateway: IPAddress?
        public var link: String

        public init(gateway: IPAddress? = nil, link: String) {
            self.gateway = gateway
            self.link = link
        }

        public static func < (left: NextHop, right: NextHop) -> Bool {
            guard left.gateway != right.gateway else { return left.link < right.link }
            guard let leftGateway = left.gateway else { return true }
            return right.gateway.map { leftGateway < $0 } ?? false
        }
    }

    public var destination: IPPrefix
    /// The first next hop's. Nil for a destination that is on the link.
    public var gateway: IPAddress?
    /// The first next hop's.
    public var link: String
    /// Next hops beside the first, all of the same weight; greater than it, and sorted.
    public private(set) var furtherHops: [NextHop] = []
    /// Which table it is in.
    public var table = Route.mainTable

    public init(destination: IPPrefix, gateway: IPAddress? = nil, link: String) {
        self.destination = destination
        self.gateway = gateway
        self.link = link
    }

    /// - Parameter nextHops: In any order; equal ones count once. Must not be empty.
    public init(destination: IPPrefix, nextHops: [NextHop]) {
        let hops = Set(nextHops).sorted()
        guard let first = hops.first else { preconditionFailure("a route has a next hop") }
        self.init(destination: destination, gateway: first.gateway, link: first.link)
        furtherHops = Array(hops.dropFirst())
    }

    /// All of them, sorted.
    public var nextHops: [NextHop] { [NextHop(gateway: gateway, link: link)] + furtherHops }

    /// Whether traffic for the destination has more than one way.
    public var isMultiPath: Bool { !furtherHops.isEmpty }
}

/// Where a frame for `mac` goes. The all-zero MAC of a VXLAN device is the flooding list (one entry per remote endpoint).
public enum ForwardingEntry: Hashable, Sendable {
    /// `bridge fdb append MAC dev VXLAN dst REMOTE self permanent`
    case tunnel(mac: MACAddress, link: String, remote: IPAddress)
    /// `bridge fdb replace MAC dev PORT master static`: the bridge finds `mac` behind its port `link`.
    case bridgePort(mac: MACAddress, link: String)
}

/// A permanent neighbour: on a bridge device it feeds ARP suppression.
public struct Neighbour: Hashable, Sendable {
    public var address: IPAddress
    public var mac: MACAddress
    public var link: String

    public init(address: IPAddress, mac: MACAddress, link: String) {
        self.address = address
        self.mac = mac
        self.link = link
    }
}

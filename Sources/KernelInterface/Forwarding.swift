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

/// A route of the main table. `destination` of length 0 is the default route.
public struct Route: Hashable, Sendable {
    public var destination: IPPrefix
    /// Nil for a destination that is on the link.
    public var gateway: IPAddress?
    public var link: String

    public init(destination: IPPrefix, gateway: IPAddress? = nil, link: String) {
        self.destination = destination
        self.gateway = gateway
        self.link = link
    }
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

import Addressing

/// Consecutive ports of a transport protocol, 1...65535. A single port is a range of one.
public struct PortRange: Sendable, Hashable {
    public let first: Int
    public let last: Int

    /// Nil unless 1 ≤ first ≤ last ≤ 65535.
    public init?(_ first: Int, _ last: Int) {
        guard first >= 1, first <= last, last <= 65535 else { return nil }
        self.first = first
        self.last = last
    }

    public var count: Int { last - first + 1 }

    /// The port, when it is only one.
    public var single: Int? { first == last ? first : nil }

    public func overlaps(_ other: PortRange) -> Bool { first <= other.last && other.first <= last }
}

extension PortRange: CustomStringConvertible {
    /// `first:last`, as the API writes it, for a single port too.
    public var description: String { "\(first):\(last)" }
}

/// Ports of a floating IP that lead to ports of an internal address: many services behind one external address.
///
/// The floating IP belongs to no port as a whole. The ranges have the same length, or the internal one has length 1.
public struct PortForwarding: Sendable, Hashable {
    public var id: ResourceID
    public var floatingIPID: ResourceID
    /// A protocol with ports, by name: `tcp`, `udp`.
    public var networkProtocol: String
    public var externalPorts: PortRange
    public var internalPortID: ResourceID
    public var internalAddress: IPAddress
    public var internalPorts: PortRange
    public var description: String = ""

    public init(
        id: ResourceID, floatingIPID: ResourceID, networkProtocol: String, externalPorts: PortRange, internalPortID: ResourceID,
        internalAddress: IPAddress, internalPorts: PortRange
    ) {
        self.id = id
        self.floatingIPID = floatingIPID
        self.networkProtocol = networkProtocol
        self.externalPorts = externalPorts
        self.internalPortID = internalPortID
        self.internalAddress = internalAddress
        self.internalPorts = internalPorts
    }
}

extension FloatingIP {
    /// A port forwarding inside its floating IP's row: a copy of its own, so that a list of floating IPs, and what a host must realise of one,
    /// needs no other row.
    public struct Forwarding: Sendable, Hashable {
        public var id: ResourceID
        public var networkProtocol: String
        public var externalPorts: PortRange
        public var internalPortID: ResourceID
        public var internalAddress: IPAddress
        public var internalPorts: PortRange

        public init(_ forwarding: PortForwarding) {
            id = forwarding.id
            networkProtocol = forwarding.networkProtocol
            externalPorts = forwarding.externalPorts
            internalPortID = forwarding.internalPortID
            internalAddress = forwarding.internalAddress
            internalPorts = forwarding.internalPorts
        }
    }

    /// What the API shows of the port that a floating IP leads to (`port_details`).
    public struct PortDetails: Sendable, Hashable {
        public var name: String
        public var networkID: ResourceID
        public var mac: MACAddress
        public var isAdminStateUp: Bool
        public var status: ResourceStatus
        public var deviceID: String
        public var deviceOwner: String

        public init(_ port: Port) {
            name = port.name
            networkID = port.networkID
            mac = port.mac
            isAdminStateUp = port.isAdminStateUp
            status = port.status
            deviceID = port.deviceID
            deviceOwner = port.deviceOwner
        }
    }
}

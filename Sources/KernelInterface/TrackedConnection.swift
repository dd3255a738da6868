import Addressing

/// A connection that the kernel tracks (`conntrack -L`), by what its first packet said.
public struct TrackedConnection: Hashable, Sendable {
    public var zone: Int
    /// Tells it from a later connection with the same addresses and ports.
    public var identifier: UInt32
    public var source: IPAddress
    public var destination: IPAddress
    public var protocolNumber: Int
    /// The source port, or the identifier of an ICMP query; 0 for protocols that have neither.
    public var sourcePort: UInt16
    /// 0 for ICMP and for protocols without ports.
    public var destinationPort: UInt16
    /// Of ICMP and ICMPv6, else 0.
    public var icmpType: UInt8
    public var icmpCode: UInt8

    public init(
        zone: Int, identifier: UInt32 = 0, source: IPAddress, destination: IPAddress, protocolNumber: Int, sourcePort: UInt16 = 0,
        destinationPort: UInt16 = 0, icmpType: UInt8 = 0, icmpCode: UInt8 = 0
    ) {
        self.zone = zone
        self.identifier = identifier
        self.source = source
        self.destination = destination
        self.protocolNumber = protocolNumber
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.icmpType = icmpType
        self.icmpCode = icmpCode
    }
}

/// The tracked connections of the host's own namespace. Calls block.
public protocol ConnectionTracker: AnyObject, Sendable {
    /// Connections that `isWanted` says to keep, of one zone, or of all (nil). The kernel leaves out other zones where it can (Linux 6.8).
    func connections(inZone zone: Int?, _ isWanted: (TrackedConnection) -> Bool) throws(KernelError) -> [TrackedConnection]
    /// Forgets the connection: its next packet is judged as the first one of a new one. Fine when it is gone.
    func end(_ connection: TrackedConnection) throws(KernelError)
}

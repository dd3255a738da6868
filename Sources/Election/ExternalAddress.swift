import Addressing
import NetworkModel

/// An address on an external network that this host answers for: of a standalone router here, or of one whose master is here.
public struct ExternalAddress: Hashable, Sendable {
    public var routerID: ResourceID
    /// The bridge of the external network on this host.
    public var bridge: String
    public var address: IPAddress
    /// Of the router's gateway port, the same on every host: whoever answers with another one is somebody else.
    public var mac: MACAddress

    public init(routerID: ResourceID, bridge: String, address: IPAddress, mac: MACAddress) {
        self.routerID = routerID
        self.bridge = bridge
        self.address = address
        self.mac = mac
    }
}

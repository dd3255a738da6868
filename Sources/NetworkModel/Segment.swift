/// What carries a network, or a part of it, between hosts.
public struct NetworkCarrier: Sendable, Hashable {
    public var type: NetworkType
    public var physicalNetwork: String?
    /// The VNI of a VXLAN network or the VLAN id; nil for local and flat networks.
    public var segmentationID: Int?

    public init(type: NetworkType, physicalNetwork: String? = nil, segmentationID: Int? = nil) {
        self.type = type
        self.physicalNetwork = physicalNetwork
        self.segmentationID = segmentationID
    }
}

/// One part of a network with its own carrier (`segment`). Every network has at least one.
public struct Segment: Sendable, Hashable {
    public var id: ResourceID
    public var networkID: ResourceID
    public var name: String?
    public var carrier: NetworkCarrier
    /// The order among the segments of the network, ascending and not always without gaps.
    public var index: Int = 0
    /// Not shown and not kept: segments are the operator's.
    public var projectID: String = ""
    public var standard = StandardAttributes()

    public init(id: ResourceID, networkID: ResourceID, carrier: NetworkCarrier) {
        self.id = id
        self.networkID = networkID
        self.carrier = carrier
    }
}

extension Network {
    /// What carries the network, or its first segment.
    public var carrier: NetworkCarrier {
        get { NetworkCarrier(type: type, physicalNetwork: physicalNetwork, segmentationID: segmentationID) }
        set { (type, physicalNetwork, segmentationID) = (newValue.type, newValue.physicalNetwork, newValue.segmentationID) }
    }

    /// Those of all segments, in their order.
    public var carriers: [NetworkCarrier] { [carrier] + furtherCarriers }
}

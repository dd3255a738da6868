/// Numbers of segments that the server gives to networks by itself (`network_segment_range`): to all, or to those of one project.
public struct NetworkSegmentRange: Sendable, Hashable {
    public var id: ResourceID
    public var name: String = ""
    /// Whether the server's settings made it; such a range cannot be changed.
    public var isDefault: Bool = false
    public var isShared: Bool = true
    /// The project that alone uses it; nil when it is shared.
    public var ownerID: String?
    public var type: NetworkType
    /// Of VLAN ranges only.
    public var physicalNetwork: String?
    public var minimum: Int
    public var maximum: Int
    /// Numbers that no network has; not kept: whoever shows the row computes it.
    public var available: [Int] = []
    /// The projects of the networks that have the others; not kept either.
    public var used: [Int: String] = [:]
    public var standard = StandardAttributes()

    public init(id: ResourceID, type: NetworkType, minimum: Int, maximum: Int) {
        self.id = id
        self.type = type
        self.minimum = minimum
        self.maximum = maximum
    }

    public var projectID: String {
        get { ownerID ?? "" }
        set { ownerID = newValue.isEmpty ? nil : newValue }
    }
}

/// A kind of service that users choose by name (`flavor`): it leads to a provider through its service profiles.
public struct Flavor: Sendable, Hashable {
    public var id: ResourceID
    public var name: String = ""
    public var description: String = ""
    /// What the service is; routers are `L3_ROUTER_NAT`.
    public var serviceType: String
    public var isEnabled: Bool = true
    /// In the order in which they were associated; the first one counts.
    public var serviceProfileIDs: [ResourceID] = []

    public init(id: ResourceID, serviceType: String) {
        self.id = id
        self.serviceType = serviceType
    }
}

/// How a provider realises flavors (`service_profile`). It has a driver or other information.
public struct ServiceProfile: Sendable, Hashable {
    public var id: ResourceID
    public var description: String = ""
    /// The driver of a provider; empty: none.
    public var driver: String = ""
    public var isEnabled: Bool = true
    /// Anything that the operator notes.
    public var metainfo: String = ""

    public init(id: ResourceID) { self.id = id }
}

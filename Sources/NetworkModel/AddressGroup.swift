import Addressing

/// A named list of addresses that rules of security groups name as their remote side.
public struct AddressGroup: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var name: String = ""
    /// Without duplicates, in order.
    public var addresses: [IPPrefix] = []
    public var isShared: Bool = false
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String) {
        self.id = id
        self.projectID = projectID
    }
}

/// Whether new security groups are stateful where whoever makes them does not say (`security_groups_default_statefulness`). Groups that are there stay
/// as they are.
public struct DefaultStatefulness: Sendable, Hashable {
    public var id: ResourceID
    /// The project whose groups it is about; nil: those of every project that has no setting of its own.
    public var projectID: String?
    public var isStateful: Bool = true

    public init(id: ResourceID, projectID: String?) {
        self.id = id
        self.projectID = projectID
    }
}

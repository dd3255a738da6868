/// One entry of the change log: a resource was put (created or changed) or dropped.
public struct Change: Hashable, Sendable {
    /// The transaction: all its changes share one revision. Rises with every commit that changes something; may skip numbers.
    public var revision: Int
    /// The SQL table of the resource (`ports`), or what the operation gave for an auxiliary record.
    public var kind: String
    public var id: String
    public var isDrop: Bool

    public init(revision: Int, kind: String, id: String, isDrop: Bool) {
        self.revision = revision
        self.kind = kind
        self.id = id
        self.isDrop = isDrop
    }
}

import APISchema
import AccessPolicy
import NetworkModel

/// A resource that has verbs. The functions are bodies of transactions: they check, decide and write, and throw to leave nothing behind.
public protocol ManagedResource: APIResource {
    static func create(_ request: ResourceRequest<Self>, in verb: Verb) throws -> Self
    static func update(_ resource: Self, _ request: ResourceRequest<Self>, in verb: Verb) throws -> Self
    static func delete(_ resource: Self, in verb: Verb) throws

    /// What a bulk request must fulfil as a whole.
    static func checkBulk(_ requests: [ResourceRequest<Self>], in verb: Verb) throws
    /// How rules call the resource: `port` in `get_port`.
    static var policyName: String { get }
    /// What the resource belongs to, as far as rules ask for it.
    static var policyParents: [PolicyParent] { get }
    /// Whether Neutron sees, when it refuses a change, that the resource is shared. Where it does not, who sees one for that reason only is told
    /// that there is none (404), though GET shows it.
    static var isSharedToUpdates: Bool { get }
    /// Nil for resources without `revision_number`.
    var revisionNumber: Int? { get }
    /// What clients are told when there is none with that id, in Neutron's words.
    static func notFound(_ id: String) -> APIError
    /// Whether an attribute that no column has is one of the texts that a filter names.
    func hasComputed(_ attribute: String, oneOf texts: [String]) -> Bool
    /// The resource with what is computed at reading.
    static func shown(_ resource: Self, in verb: Verb) throws -> Self
    /// The same of several resources, for what takes a query.
    static func withComputed(_ resources: [Self], in verb: Verb) throws -> [Self]
}

extension ManagedResource {
    public static func checkBulk(_ requests: [ResourceRequest<Self>], in verb: Verb) throws {}
    public static func notFound(_ id: String) -> APIError { table.notFound(id) }
    public static var isSharedToUpdates: Bool { true }
    public static var policyName: String { table.singular }
    public static var policyParents: [PolicyParent] { [] }
    public static func shown(_ resource: Self, in verb: Verb) throws -> Self { resource }
    public static func withComputed(_ resources: [Self], in verb: Verb) throws -> [Self] { try resources.map { try shown($0, in: verb) } }
    public func hasComputed(_ attribute: String, oneOf texts: [String]) -> Bool { true }
}

extension ManagedResource where Self: ProjectResource {
    public var revisionNumber: Int? { standard.revisionNumber }
}

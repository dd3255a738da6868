import APISchema
import AccessPolicy
import HostModel
import NetworkModel

// Verbs whose bodies are still to come.
let pending = APIError(status: 501, type: "HTTPNotImplemented", message: "This verb is not implemented.")

extension Verb {
    func addInterface(to routerID: String, _ target: RouterInterfaceTarget) throws -> RouterInterface { throw pending }
    func removeInterface(from routerID: String, _ target: RouterInterfaceTarget) throws -> RouterInterface { throw pending }
    func routers(ofAgent id: String) throws -> [Router] { throw pending }
    func agents(ofRouter id: String) throws -> [RouterAgent] { throw pending }
    func networks(ofAgent id: String) throws -> [Network] { throw pending }
    func agents(ofNetwork id: String) throws -> [Agent] { throw pending }
    func addRouter(_ routerID: String, toAgent id: String) throws { throw pending }
    func removeRouter(_ routerID: String, fromAgent id: String) throws { throw pending }
    func report(_ host: String, _ status: HostStatus) throws { throw pending }
}

extension Operations {
    func ensureDefaultGroup(_ caller: Caller) async throws {}
}

final class AddressHints: Sendable {}

extension Agent: ManagedResource {
    public func isVisible(in verb: Verb) throws -> Bool { verb.caller.isAdmin }
    public var owner: String? { nil }
    public var revisionNumber: Int? { nil }
    public static func create(_ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func update(_ resource: Self, _ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func delete(_ resource: Self, in verb: Verb) throws { throw pending }
}

extension Network: ManagedResource {
    public static func create(_ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func update(_ resource: Self, _ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func delete(_ resource: Self, in verb: Verb) throws { throw pending }
}

extension Subnet: ManagedResource {
    public static func create(_ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func update(_ resource: Self, _ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func delete(_ resource: Self, in verb: Verb) throws { throw pending }
}

extension Port: ManagedResource {
    public static func create(_ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func update(_ resource: Self, _ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func delete(_ resource: Self, in verb: Verb) throws { throw pending }
}

extension Router: ManagedResource {
    public static func create(_ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func update(_ resource: Self, _ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func delete(_ resource: Self, in verb: Verb) throws { throw pending }
}

extension FloatingIP: ManagedResource {
    public static func create(_ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func update(_ resource: Self, _ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func delete(_ resource: Self, in verb: Verb) throws { throw pending }
}

extension SecurityGroup: ManagedResource {
    public static func create(_ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func update(_ resource: Self, _ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func delete(_ resource: Self, in verb: Verb) throws { throw pending }
}

extension SecurityGroupRule: ManagedResource {
    public static func create(_ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func update(_ resource: Self, _ request: ResourceRequest<Self>, in verb: Verb) throws -> Self { throw pending }
    public static func delete(_ resource: Self, in verb: Verb) throws { throw pending }
}

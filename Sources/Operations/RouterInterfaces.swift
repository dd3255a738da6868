import APISchema
import AccessPolicy
import NetworkModel

/// What `add_router_interface` and `remove_router_interface` answer.
public struct RouterInterface: Sendable, Hashable {
    public var routerID: ResourceID
    /// The project of the port.
    public var projectID: String
    public var portID: ResourceID
    public var networkID: ResourceID
    public var subnetIDs: [ResourceID]

    /// The whole body.
    public func write(to writer: inout JSONWriter) {
        writer.object {
            $0.key("id")
            routerID.write(to: &$0)
            for name in ["project_id", "tenant_id"] {
                $0.key(name)
                $0.string(projectID)
            }
            $0.key("port_id")
            portID.write(to: &$0)
            $0.key("network_id")
            networkID.write(to: &$0)
            // Older than several prefixes on one port; clients still read it.
            $0.key("subnet_id")
            subnetIDs.last.write(to: &$0)
            $0.key("subnet_ids")
            subnetIDs.write(to: &$0)
            $0.key("tags")
            $0.array { _ in }
        }
    }
}

extension Operations {
    /// `PUT /routers/{id}/add_router_interface` with `subnet_id` or `port_id`.
    public func addRouterInterface(_ routerID: String, body: [String: JSONValue], caller: Caller) async throws -> RouterInterface {
        let target = try RouterInterfaceTarget(body, isRemoval: false)
        return try await write(caller) { verb in try verb.addInterface(to: routerID, target) }
    }

    /// `PUT /routers/{id}/remove_router_interface` with `subnet_id`, `port_id` or both.
    public func removeRouterInterface(_ routerID: String, body: [String: JSONValue], caller: Caller) async throws -> RouterInterface {
        let target = try RouterInterfaceTarget(body, isRemoval: true)
        return try await write(caller) { verb in try verb.removeInterface(from: routerID, target) }
    }
}

/// Which interface is meant.
struct RouterInterfaceTarget: Sendable {
    var subnetID: ResourceID?
    var portID: ResourceID?

    init(_ body: [String: JSONValue], isRemoval: Bool) throws(APIError) {
        guard body["subnet_id"] != nil || body["port_id"] != nil else {
            throw .badRouterRequest("Either subnet_id or port_id must be specified")
        }
        portID = try Self.id(body["port_id"])
        subnetID = try Self.id(body["subnet_id"])
        guard isRemoval || portID == nil || subnetID == nil else { throw .badRouterRequest("Cannot specify both subnet-id and port-id") }
    }

    private static func id(_ json: JSONValue?) throws(APIError) -> ResourceID? {
        guard let json else { return nil }
        do throws(InvalidValue) { return try ResourceID(json: json) } catch { throw .badRouterRequest(error.reason) }
    }
}

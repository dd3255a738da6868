import APISchema
import Addressing
import Hummingbird
import NetworkModel
import Operations

/// The actions of subnet pools: prefixes one by one, and subnets that join a pool.
struct SubnetPoolRoutes: Sendable {
    let operations: Operations

    func addRoutes(to router: APIRouter) {
        router.put("/v2.0/subnetpools/:id/add_prefixes") { request, context in
            answer(
                try await operations.addPrefixes(
                    context.id, body: request.jsonObject(), ifMatch: request.revisionConstraint(), caller: context.caller))
        }
        router.put("/v2.0/subnetpools/:id/remove_prefixes") { request, context in
            answer(
                try await operations.removePrefixes(
                    context.id, body: request.jsonObject(), ifMatch: request.revisionConstraint(), caller: context.caller))
        }
        router.put("/v2.0/subnetpools/:id/onboard_network_subnets") { request, context in
            let subnets = try await operations.onboardSubnets(
                context.id, body: request.jsonObject(), ifMatch: request.revisionConstraint(), caller: context.caller)
            var writer = JSONWriter()
            writer.array { writer in for subnet in subnets { Subnet.table.write(subnet, fields: ["id", "cidr"], to: &writer) } }
            return Response.json(writer)
        }
    }

    private func answer(_ prefixes: [IPPrefix]) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("prefixes")
            prefixes.write(to: &writer)
        }
        return .json(writer)
    }
}

import APISchema
import Hummingbird
import NetworkModel
import Operations

/// The actions of address groups: addresses one by one.
struct AddressGroupRoutes: Sendable {
    let operations: Operations

    func addRoutes(to router: APIRouter) {
        router.put("/v2.0/address-groups/:id/add_addresses") { request, context in
            let changed = try await operations.addAddresses(
                context.id, body: request.jsonObject(), ifMatch: request.revisionConstraint(), caller: context.caller)
            return try await operations.answer(changed, to: context.caller)
        }
        router.put("/v2.0/address-groups/:id/remove_addresses") { request, context in
            let changed = try await operations.removeAddresses(
                context.id, body: request.jsonObject(), ifMatch: request.revisionConstraint(), caller: context.caller)
            return try await operations.answer(changed, to: context.caller)
        }
    }
}

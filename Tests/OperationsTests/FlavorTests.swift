import APISchema
import AccessPolicy
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite struct FlavorTests {
    private let blue = Caller(projectID: "blue", isAdmin: false)
    private static let highlyAvailable = "neutron.services.l3_router.service_providers.ha.HaDriver"

    @Test(
        "A flavor leads through its profile to a provider, which decides whether a router is highly available", arguments: Backend.allCases)
    func flavors(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let flavor = try await cloud.create(Flavor.self, ["name": "gold", "service_type": "L3_ROUTER_NAT"])
        let body: [String: JSONValue] = ["flavor_id": .init(flavor.id)]
        let empty = try await apiError { try await cloud.create(Router.self, body, as: self.blue) }
        #expect(empty?.status == 404 && empty?.type == "FlavorServiceProfileBindingNotFound")
        let profile = try await cloud.create(ServiceProfile.self, ["driver": .string(Self.highlyAvailable)])
        let shown = try await cloud.operations.associate(profile.id.description, withFlavor: flavor.id.description, caller: cloud.admin)
        #expect(shown.serviceProfileIDs == [profile.id])
        let twice = try await apiError {
            try await cloud.operations.associate(profile.id.description, withFlavor: flavor.id.description, caller: cloud.admin)
        }
        #expect(twice?.status == 409 && twice?.type == "FlavorServiceProfileBindingExists")
        #expect(try await cloud.operations.nextProvider(ofFlavor: flavor.id.description, caller: blue).name == "ha")

        let router = try await cloud.create(Router.self, body, as: blue)
        #expect(router.isHighlyAvailable && router.flavorID == flavor.id)
        let contrary = try await apiError { try await cloud.router(body.merging(["ha": false]) { $1 }) }
        #expect(contrary?.message == "Invalid input for operation: Provider ha does not support ha=False.")
        let used = try await apiError { try await cloud.delete(flavor) }
        #expect(used?.status == 409 && used?.message == "Flavor \(flavor.id) is used by some service instance.")
        let bound = try await apiError { try await cloud.delete(profile) }
        #expect(bound?.type == "ServiceProfileInUse")
        let changed = try await apiError { try await cloud.update(profile, ["enabled": false]) }
        #expect(changed?.type == "ServiceProfileInUse")

        try await cloud.delete(router)
        _ = try await cloud.update(flavor, ["enabled": false])
        let disabled = try await apiError { try await cloud.create(Router.self, body, as: self.blue) }
        #expect(disabled?.status == 503 && disabled?.type == "FlavorDisabled")
        try await cloud.operations.dissociate(profile.id.description, fromFlavor: flavor.id.description, caller: cloud.admin)
        let gone = try await apiError {
            try await cloud.operations.dissociate(profile.id.description, fromFlavor: flavor.id.description, caller: cloud.admin)
        }
        #expect(gone?.message == "Service Profile \(profile.id) is not associated with flavor \(flavor.id).")
        try await cloud.delete(profile)
        try await cloud.delete(flavor)
    }

    @Test("Flavors and profiles are the administrator's; all see flavors") func refusals() async throws {
        let cloud = try Cloud()
        let wrong = try await apiError { try await cloud.create(Flavor.self, ["service_type": "TEA"]) }
        #expect(wrong?.status == 400 && wrong?.type == "InvalidServiceType" && wrong?.message == "Invalid service type: TEA.")
        let empty = try await apiError { try await cloud.create(ServiceProfile.self, [:]) }
        #expect(empty?.type == "ServiceProfileEmpty")
        let unknown = try await apiError { try await cloud.create(ServiceProfile.self, ["driver": "x"]) }
        #expect(unknown?.status == 404 && unknown?.message == "Service Profile driver x could not be found.")
        let foreign = try await apiError { try await cloud.create(Flavor.self, ["service_type": "L3_ROUTER_NAT"], as: self.blue) }
        #expect(foreign?.status == 403)
        let flavor = try await cloud.create(Flavor.self, ["service_type": "L3_ROUTER_NAT"])
        #expect(try await cloud.list(Flavor.self, as: blue) == [flavor])
        #expect(try await cloud.list(ServiceProfile.self, as: blue).isEmpty)
    }
}

import APISchema
import AccessPolicy
import NetworkModel
import Store

extension Flavor: ManagedResource {
    public var revisionNumber: Int? { nil }

    public static func create(_ request: ResourceRequest<Flavor>, in verb: Verb) throws -> Flavor {
        let serviceType = request["service_type"]?.stringValue ?? ""
        guard Flavor.serviceTypes.contains(serviceType) else {
            throw APIError.invalid("InvalidServiceType", "Invalid service type: \(request["service_type"]?.pythonText ?? "None").")
        }
        // Profiles are associated by their own path: those of the body are ignored, as in Neutron.
        var flavor = Flavor(id: verb.newID(), serviceType: serviceType)
        try request.assign(to: &flavor)
        flavor.description = request["description"]?.stringValue ?? ""
        try verb.transaction.insert(flavor)
        return flavor
    }

    public static func update(_ flavor: Flavor, _ request: ResourceRequest<Flavor>, in verb: Verb) throws -> Flavor {
        var flavor = flavor
        try request.assign(to: &flavor)
        if let description = request["description"] { flavor.description = description.stringValue ?? "" }
        try verb.transaction.update(flavor)
        return flavor
    }

    public static func delete(_ flavor: Flavor, in verb: Verb) throws {
        guard try verb.list(Router.self, where: "flavor_id", flavor.id).isEmpty else {
            throw APIError.conflict("FlavorInUse", "Flavor \(flavor.id) is used by some service instance.")
        }
        try verb.transaction.delete(Flavor.self, flavor.id)
    }
}

extension ServiceProfile: ManagedResource {
    public var revisionNumber: Int? { nil }

    public static func create(_ request: ResourceRequest<ServiceProfile>, in verb: Verb) throws -> ServiceProfile {
        var profile = ServiceProfile(id: verb.newID())
        try request.assign(to: &profile)
        profile.description = request["description"]?.stringValue ?? ""
        guard !profile.driver.isEmpty || !profile.metainfo.isEmpty else {
            throw APIError.invalid("ServiceProfileEmpty", "Service Profile needs either a driver or metainfo.")
        }
        try checkDriver(profile.driver)
        try verb.transaction.insert(profile)
        return profile
    }

    public static func update(
        _ profile: ServiceProfile, _ request: ResourceRequest<ServiceProfile>, in verb: Verb
    ) throws -> ServiceProfile {
        var profile = profile
        try request.assign(to: &profile)
        if let description = request["description"] { profile.description = description.stringValue ?? "" }
        try checkDriver(profile.driver)
        try verb.refuseUsed(profile)
        try verb.transaction.update(profile)
        return profile
    }

    public static func delete(_ profile: ServiceProfile, in verb: Verb) throws {
        try verb.refuseUsed(profile)
        try verb.transaction.delete(ServiceProfile.self, profile.id)
    }

    public static func notFound(_ id: String) -> APIError {
        .notFound("ServiceProfileNotFound", "Service Profile \(id) could not be found.")
    }

    private static func checkDriver(_ driver: String) throws(APIError) {
        guard driver.isEmpty || ServiceProvider.all.contains(where: { $0.driver == driver }) else { throw .driverNotFound(driver) }
    }
}

extension Operations {
    /// `POST /flavors/{id}/service_profiles` with the id of a profile.
    public func associate(_ profileID: String, withFlavor id: String, caller: Caller) async throws -> Flavor {
        try await write(caller) { verb in
            var flavor = try verb.authorized(Flavor.self, id, to: "create_flavor_service_profile")
            let profile = try verb.visible(ServiceProfile.self, profileID)
            guard !flavor.serviceProfileIDs.contains(profile.id) else {
                throw APIError.conflict(
                    "FlavorServiceProfileBindingExists", "Service Profile \(profile.id) is already associated with flavor \(flavor.id).")
            }
            flavor.serviceProfileIDs.append(profile.id)
            try verb.transaction.update(flavor)
            try verb.transaction.execute(
                "INSERT INTO flavor_service_profiles (flavor_id, service_profile_id) VALUES (?, ?)",
                [flavor.id.columnValue, profile.id.columnValue])
            return flavor
        }
    }

    /// `DELETE /flavors/{id}/service_profiles/{profile}`.
    public func dissociate(_ profileID: String, fromFlavor id: String, caller: Caller) async throws {
        try await write(caller) { verb in
            var flavor = try verb.authorized(Flavor.self, id, to: "delete_flavor_service_profile")
            guard let profile = ResourceID(profileID), flavor.serviceProfileIDs.contains(profile) else {
                throw APIError.notAssociated(profileID, flavorID: id)
            }
            flavor.serviceProfileIDs.removeAll { $0 == profile }
            try verb.transaction.update(flavor)
            try verb.transaction.execute(
                "DELETE FROM flavor_service_profiles WHERE flavor_id = ? AND service_profile_id = ?",
                [flavor.id.columnValue, profile.columnValue])
        }
    }

    /// `GET /flavors/{id}/next_providers`: who realises what is made with the flavor now, and its driver.
    public func nextProvider(ofFlavor id: String, caller: Caller) async throws -> ServiceProvider {
        try await read(caller) { verb in try verb.provider(of: try verb.visible(Flavor.self, id)) }
    }
}

extension Verb {
    /// The provider of the flavor's first profile.
    func provider(of flavor: Flavor) throws -> ServiceProvider {
        guard let profileID = flavor.serviceProfileIDs.first else { throw APIError.notAssociated("", flavorID: flavor.id.description) }
        let profile = try existing(ServiceProfile.self, profileID)
        guard profile.isEnabled else { throw APIError.unavailable("ServiceProfileDisabled", "Service Profile is not enabled.") }
        guard let provider = ServiceProvider.all.first(where: { $0.driver == profile.driver }) else {
            throw APIError.driverNotFound(profile.driver)
        }
        return provider
    }

    /// Gives a new router the flavor that the request names, which decides whether it is highly available.
    func applyFlavor(_ request: ResourceRequest<Router>, to router: inout Router) throws {
        guard let flavorID = try request.value("flavor_id", as: ResourceID?.self) ?? nil else { return }
        let flavor = try visible(Flavor.self, flavorID)
        guard flavor.isEnabled else { throw APIError.unavailable("FlavorDisabled", "Flavor is not enabled.") }
        let provider = try provider(of: flavor)
        if let asked = try request.value("ha", as: Bool?.self) ?? nil, asked != provider.isHighlyAvailable {
            throw APIError.invalidInput("Provider \(provider.name) does not support ha=\(asked ? "True" : "False")")
        }
        router.isHighlyAvailable = provider.isHighlyAvailable
        router.flavorID = flavor.id
    }

    fileprivate func refuseUsed(_ profile: ServiceProfile) throws {
        let users = try transaction.rows(
            "SELECT 1 FROM flavor_service_profiles WHERE service_profile_id = ? LIMIT 1", [profile.id.columnValue])
        guard users.isEmpty else {
            throw APIError.conflict("ServiceProfileInUse", "Service Profile \(profile.id) is used by some service instance.")
        }
    }
}

extension APIError {
    fileprivate static func driverNotFound(_ driver: String) -> APIError {
        .notFound("ServiceProfileDriverNotFound", "Service Profile driver \(driver) could not be found.")
    }

    fileprivate static func notAssociated(_ profileID: String, flavorID: String) -> APIError {
        .notFound("FlavorServiceProfileBindingNotFound", "Service Profile \(profileID) is not associated with flavor \(flavorID).")
    }
}

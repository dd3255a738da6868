import APISchema
import AccessPolicy
import NetworkModel
import Store

extension DefaultStatefulness: ManagedResource {
    public static func create(_ request: ResourceRequest<DefaultStatefulness>, in verb: Verb) throws -> DefaultStatefulness {
        let given: String? = try request.value("project_id", as: String?.self) ?? verb.caller.projectID
        // Whose project has no name is everybody: there is one such setting.
        let projectID = given.flatMap { $0.isEmpty ? nil : $0 }
        guard try verb.defaultStatefulness(projectID) == nil else {
            throw APIError.conflict(
                "SecurityGroupDefaultStatefulnessAlreadyExists",
                "A security group default statefulness setting already exists for project '\(projectID ?? "system-wide")'.")
        }
        var setting = DefaultStatefulness(id: verb.newID(), projectID: projectID)
        try request.assign(to: &setting)
        try verb.transaction.insert(setting)
        return setting
    }

    public static func update(
        _ current: DefaultStatefulness, _ request: ResourceRequest<DefaultStatefulness>, in verb: Verb
    ) throws -> DefaultStatefulness {
        var setting = current
        try request.assign(to: &setting)
        try verb.transaction.update(setting)
        return setting
    }

    public static func delete(_ setting: DefaultStatefulness, in verb: Verb) throws {
        try verb.transaction.delete(DefaultStatefulness.self, setting.id)
    }

    public static func notFound(_ id: String) -> APIError {
        .notFound("SecurityGroupDefaultStatefulnessNotFound", "Security group default statefulness \(id) could not be found.")
    }

    public var revisionNumber: Int? { nil }
}

extension Verb {
    /// Whether a new group of the project is stateful when nobody says.
    func isStatefulByDefault(_ projectID: String) throws -> Bool {
        try (defaultStatefulness(projectID) ?? defaultStatefulness(nil))?.isStateful ?? true
    }

    /// The setting of exactly this project, or of all.
    fileprivate func defaultStatefulness(_ projectID: String?) throws -> DefaultStatefulness? {
        var query = ListQuery()
        query.filters = [.column("project_id", [projectID.columnValue])]
        return try transaction.list(DefaultStatefulness.self, query).first
    }
}

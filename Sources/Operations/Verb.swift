import APISchema
import AccessPolicy
import NetworkModel
import Store

/// One verb at work: the transaction, who asks, and what it decides with. Its extensions are the steps that verbs share.
public struct Verb {
    let transaction: StoreTransaction
    let caller: Caller
    let policy: CallerRules
    let settings: ServerSettings
    let now: Timestamp
    let random: RandomSource
    let hints: AddressHints
    /// Nil in transactions that write: what resources belong to may change in them.
    var parentValues: ParentValues?
    let grantCache = GrantCache()
    let routedNetworks = RoutedNetworkCache()

    /// The same transaction on the server's own account: no policy, no visibility.
    var elevated: Verb {
        Verb(
            transaction: transaction, caller: .server, policy: PolicyBook.unrestricted, settings: settings, now: now, random: random,
            hints: hints)
    }

    func create<R: ManagedResource>(_ request: ResourceRequest<R>) throws -> R {
        try authorizeCreation(request)
        let created = try R.create(request, in: self)
        if let tags = try request.value("tags", as: [String].self) { try writeTags(tags, of: R.self, created.id) }
        return created
    }

    func newID() -> ResourceID {
        var generator = random
        return ResourceID(using: &generator)
    }

    // MARK: Reading

    /// The resource, or nil.
    func find<R: APIResource>(_ type: R.Type, _ id: ResourceID) throws -> R? { try transaction.find(type, id) }

    /// The resource that a row of ours points to: the database's constraints keep it there.
    func existing<R: ManagedResource>(_ type: R.Type, _ id: ResourceID) throws -> R {
        guard let resource = try transaction.find(type, id) else { throw R.notFound(id.description) }
        return resource
    }

    /// The resource if the caller may see it; else 404.
    func visible<R: ManagedResource>(_ type: R.Type, _ id: ResourceID) throws -> R {
        guard let resource = try transaction.find(type, id), try resource.isVisible(in: self) else { throw R.notFound(id.description) }
        return resource
    }

    func visible<R: ManagedResource>(_ type: R.Type, _ text: String) throws -> R {
        guard let id = ResourceID(text) else { throw R.notFound(text) }
        return try visible(type, id)
    }

    /// The resource with what is computed at reading.
    func withComputed<R: ManagedResource>(_ resource: R) throws -> R {
        try R.withComputed([resource], in: self).first ?? resource
    }

    /// The caller's view of a list, as clients are shown it: what a show of each would not refuse. The database picks it where the rule can be
    /// made a condition. Where it cannot, and where an attribute that is filtered by has no column, it is picked here, and the page is cut after
    /// that.
    func list<R: ManagedResource>(_ type: R.Type, _ query: ListQuery) throws -> [R] {
        let rule = policy["get_\(R.policyName)"]
        guard rule != .never else { return [] }
        let hidden = HiddenAttributes(of: R.self, in: query, policy)
        guard !hidden.areFilteredBy else { return [] }
        let visibility = VisibilityFilter(rule, of: R.self, for: caller)
        // The place of what the caller does not see would tell of it: its page is empty, like one after what is not there.
        if rule != .always, let marker = query.marker {
            guard let last = try transaction.find(R.self, marker), try last.isVisible(in: self) else { return [] }
        }
        var whole = query.askingGrants(of: R.self, to: caller)
        whole.sortKeys.removeAll { hidden.columns.contains($0.column) }
        if let filter = visibility.filter { whole.filters.append(filter) }
        guard !visibility.isExact || !whole.computed.isEmpty || !hidden.asked.isEmpty else {
            return try R.withComputed(try transaction.list(type, whole), in: self)
        }
        whole.limit = nil
        let found = try transaction.list(type, whole)
        try readParents(of: found, askedBy: (visibility.isExact ? [] : [rule]) + hidden.asked)
        let visible = try found.filter { resource in
            try (visibility.isExact || resource.isVisible(in: self)) && hidden.areSeen(of: resource, in: self)
        }
        let seen = try R.withComputed(visible, in: self).filter { resource in
            whole.computed.allSatisfy { resource.hasComputed($0.key, oneOf: $0.value) }
        }
        // Without a limit the store leaves a page backwards in the order in which it read it.
        guard let limit = query.limit else { return seen }
        return query.isReversed ? seen.prefix(limit).reversed() : Array(seen.prefix(limit))
    }

    /// All resources whose column has the value.
    func list<R: APIResource>(_ type: R.Type, where column: String, _ value: some AttributeValue) throws -> [R] {
        var query = ListQuery()
        query.filters = [.column(column, [value.columnValue])]
        return try transaction.list(type, query)
    }

    // MARK: Writing

    /// Fills in what every new resource has.
    func open<R: ProjectResource>(_ resource: inout R) {
        resource.standard.revisionNumber = 1
        resource.standard.createdAt = now
        resource.standard.updatedAt = now
    }

    /// Writes a changed resource with its next revision number.
    func save<R: ProjectResource>(_ resource: inout R) throws {
        resource.standard.revisionNumber += 1
        resource.standard.updatedAt = now
        try transaction.update(resource)
    }

    /// Raises the revision number of a resource because something that hangs on it changed.
    func touch<R: ProjectResource>(_ type: R.Type, _ id: ResourceID) throws {
        guard var resource = try transaction.find(type, id) else { return }
        try save(&resource)
    }

    /// The project that a new resource belongs to: what the request says, else the caller's.
    func project<R: ProjectResource>(of request: ResourceRequest<R>) throws -> String {
        try request.value("project_id", as: String.self) ?? caller.projectID
    }

    /// Refuses names of projects that `project_id` could not hold.
    static func checkProject(_ projectID: String) throws(APIError) {
        do throws(InvalidValue) {
            _ = try AttributeType.string(maximum: maximumProjectLength).validate(.string(projectID))
        } catch {
            throw .invalidAttribute("project_id", error.reason)
        }
    }

    /// Characters of `project_id`, as the tables of all resources have it.
    private static let maximumProjectLength = 255
}

import APISchema
import Identity
import IdentityService
import TestSupport
import Testing

@Suite("Users, projects, domains, roles and assignments", .timeLimit(.minutes(15))) struct RecordTests {
    @Test("Records are created, listed with filters, changed and deleted", arguments: Backend.allCases)
    func records(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let identity = realm.identity
        let domain = try await identity.create(Domain.self, ["name": "second", "description": "another"])
        let here = try await identity.create(Project.self, ["name": "blue"])
        let there = try await identity.create(Project.self, ["name": "blue", "domain_id": .string(domain.id)])
        #expect(here.id.utf8.count == 32 && here.id != there.id)
        await expect(409) { _ = try await identity.create(Project.self, ["name": "blue"]) }
        await expect(404) { _ = try await identity.create(Project.self, ["name": "x", "domain_id": "nowhere"]) }
        var filter = IdentityService.Filter()
        filter.name = "blue"
        #expect(try await identity.list(Project.self, filter).count == 2)
        filter.domainID = domain.id
        #expect(try await identity.list(Project.self, filter) == [there])
        filter.isEnabled = false
        #expect(try await identity.list(Project.self, filter).isEmpty)
        let renamed = try await identity.update(Project.self, there.id, ["name": "red", "color": "red"])
        #expect(renamed.name == "red" && renamed.members["color"] == "red")
        #expect(try await identity.show(Project.self, there.id) == renamed)
        let other = try await identity.create(Project.self, ["name": "green", "domain_id": .string(domain.id)])
        await expect(409) { _ = try await identity.update(Project.self, other.id, ["name": "red"]) }
        try await identity.delete(Project.self, other.id)
        await expect(404) { _ = try await identity.show(Project.self, other.id) }
        await expect(404) { try await identity.delete(Project.self, other.id) }
        #expect(try await identity.find(Project.self, "blue") == here)
        #expect(try await identity.list(Role.self).map(\.name) == ["admin", "manager", "member", "reader", "service"])
    }

    @Test("A project's tags are stored, changed one by one, and lists are restricted to them", arguments: Backend.allCases)
    func tags(_ backend: Backend) async throws {
        let identity = try await Realm.make(backend).identity
        let blue = try await identity.create(Project.self, ["name": "blue", "tags": ["prod", "team1"]])
        let green = try await identity.create(Project.self, ["name": "green", "tags": ["dev", "team1"]])
        #expect(try await identity.show(Project.self, blue.id).tags == ["prod", "team1"])
        var filter = IdentityService.Filter()
        filter.tags.all = ["team1"]
        #expect(try await identity.list(Project.self, filter) == [blue, green])
        filter.tags.notAny = ["dev"]
        #expect(try await identity.list(Project.self, filter) == [blue])
        let changed = try await identity.changeTags(ofProject: blue.id) { try $0.add(tag: "old") }
        #expect(changed.tags == ["old", "prod", "team1"])
        _ = try await identity.changeTags(ofProject: blue.id) { try $0.remove(tag: "prod") }
        #expect(try await identity.show(Project.self, blue.id).tags == ["old", "team1"])
        await expect(404) { _ = try await identity.changeTags(ofProject: blue.id) { try $0.remove(tag: "prod") } }
        await expect(404) { _ = try await identity.changeTags(ofProject: "nowhere") { try $0.add(tag: "a") } }
        #expect(try await identity.update(Project.self, blue.id, ["name": "red"]).tags == ["old", "team1"])
    }

    @Test("A domain goes with all that is in it, once it is disabled; the default one never", arguments: Backend.allCases)
    func domains(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let identity = realm.identity
        let domain = try await identity.create(Domain.self, ["name": "second"])
        let project = try await identity.create(Project.self, ["name": "p", "domain_id": .string(domain.id)])
        let user = try await identity.create(User.self, ["name": "u", "domain_id": .string(domain.id)])
        let role = try await identity.find(Role.self, "member")
        try await identity.grant(Assignment(userID: user.id, roleID: role.id, scope: .project(project.id)))
        await expect(403) { try await identity.delete(Domain.self, domain.id) }
        _ = try await identity.update(Domain.self, domain.id, ["enabled": false])
        try await identity.delete(Domain.self, domain.id)
        await expect(404) { _ = try await identity.show(Project.self, project.id) }
        await expect(404) { _ = try await identity.show(User.self, user.id) }
        await expect(403) { _ = try await identity.update(Domain.self, "default", ["enabled": false]) }
        await expect(403) { try await identity.delete(Domain.self, "default") }
        await expect(403) { try await identity.delete(Role.self, role.id) }
    }

    @Test("A project with projects below it stays", arguments: Backend.allCases)
    func hierarchy(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let parent = try await realm.project("parent")
        let child = try await realm.identity.create(Project.self, ["name": "child", "parent_id": .string(parent.id)])
        await expect(403) { try await realm.identity.delete(Project.self, parent.id) }
        try await realm.identity.delete(Project.self, child.id)
        try await realm.identity.delete(Project.self, parent.id)
        await expect(404) { _ = try await realm.identity.create(Project.self, ["name": "x", "parent_id": "nowhere"]) }
    }

    @Test("Roles are given, found and taken", arguments: Backend.allCases)
    func grants(_ backend: Backend) async throws {
        let realm = try await Realm.make(backend)
        let identity = realm.identity
        let blue = try await realm.project("blue")
        let user = try await realm.user("anna")
        let member = try await identity.find(Role.self, "member")
        let assignment = Assignment(userID: user.id, roleID: member.id, scope: .project(blue.id))
        await expect(404) { try await identity.check(assignment) }
        await expect(404) { try await identity.revoke(assignment) }
        try await identity.grant(assignment)
        try await identity.grant(assignment)
        try await identity.check(assignment)
        for seesAll in [true, false] {
            #expect(try await identity.grants(ofUser: user.id, in: .project(blue.id), seesAll: seesAll) == [member])
        }
        // A place without a role of its own is none to who does not see all.
        let red = try await realm.project("red")
        #expect(try await identity.grants(ofUser: user.id, in: .project(red.id), seesAll: true) == [])
        #expect(try await identity.grants(ofUser: user.id, in: .system, seesAll: false) == [])
        await expect(404) { _ = try await identity.grants(ofUser: user.id, in: .project(red.id), seesAll: false) }
        await expect(404) { _ = try await identity.grants(ofUser: user.id, in: .project("nowhere"), seesAll: true) }
        #expect(try await identity.projects(ofUser: user.id) == [blue])
        var filter = IdentityService.AssignmentFilter()
        filter.userID = user.id
        #expect(try await identity.assignments(filter).map(\.assignment) == [assignment])
        filter.isEffective = true
        #expect(try await identity.assignments(filter).map(\.role.name) == ["member", "reader"])
        filter.roleID = member.id
        filter.scope = .project(blue.id)
        #expect(try await identity.assignments(filter).count == 1)
        filter.scope = .system
        #expect(try await identity.assignments(filter).isEmpty)
        // This one, and the first administrator's: in its project, there as a service, and in the system.
        #expect(try await identity.assignments(.init()).count == 4)
        try await identity.revoke(assignment)
        #expect(try await identity.projects(ofUser: user.id).isEmpty)
        for broken in [
            Assignment(userID: "x", roleID: member.id, scope: .system), Assignment(userID: user.id, roleID: "x", scope: .system),
            Assignment(userID: user.id, roleID: member.id, scope: .project("x")),
            Assignment(userID: user.id, roleID: member.id, scope: .domain("x")),
        ] { await expect(404) { try await identity.grant(broken) } }
    }
}

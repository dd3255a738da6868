import AccessPolicy
import Identity
import IdentityService
import Testing

@Suite("The identity's policy") struct PolicyTests {
    @Test("Administrators do everything, users what is their own, readers of the system only look") func policy() {
        let admin = Caller(userID: "a", projectID: "p", isAdmin: true, roles: ["admin"])
        let member = Caller(userID: "m", projectID: "p", isAdmin: false, roles: ["member"])
        let auditor = Caller(userID: "r", projectID: "", isAdmin: false, roles: ["reader"], isSystemScoped: true)
        let service = Caller(userID: "s", projectID: "p", isAdmin: false, roles: ["service"])
        #expect(throws: Never.self) { try IdentityPolicy.check("create_user", admin) }
        #expect(throws: IdentityError.forbidden("identity:create_user")) { try IdentityPolicy.check("create_user", member) }
        #expect(throws: IdentityError.self) { try IdentityPolicy.check("create_user", auditor) }
        #expect(throws: Never.self) { try IdentityPolicy.checkRead("list_users", auditor) }
        #expect(throws: IdentityError.self) { try IdentityPolicy.checkRead("list_users", member) }
        #expect(throws: Never.self) { try IdentityPolicy.checkRead("get_user", member, isOwn: true) }
        #expect(throws: Never.self) { try IdentityPolicy.checkValidation(service, subjectUserID: "m") }
        #expect(throws: Never.self) { try IdentityPolicy.checkValidation(member, subjectUserID: "m") }
        #expect(throws: IdentityError.self) { try IdentityPolicy.checkValidation(member, subjectUserID: "a") }
    }
}

// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// asked holds what the webhooks have asked the API server about users.
var asked = &reviews{}

// reviews are SubjectAccessReviews on their way to the API server.
type reviews struct {
	lock    sync.Mutex
	specs   []authorizationv1.SubjectAccessReviewSpec
	stalled bool
}

// wrap is a rest.Config's WrapTransport.
func (r *reviews) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(request.URL.Path, "/subjectaccessreviews") {
			return next.RoundTrip(request)
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		var review authorizationv1.SubjectAccessReview
		if _, _, err := clientgoscheme.Codecs.UniversalDeserializer().Decode(body, nil, &review); err != nil {
			return nil, err
		}
		if r.note(review.Spec) {
			<-request.Context().Done()
			return nil, request.Context().Err()
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		return next.RoundTrip(request)
	})
}

func (r *reviews) note(spec authorizationv1.SubjectAccessReviewSpec) (stalled bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.specs = append(r.specs, spec)
	return r.stalled
}

// stall lets the API server give no answer.
func (r *reviews) stall(stalled bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.stalled = stalled
}

// take returns those since the last time.
func (r *reviews) take() []authorizationv1.SubjectAccessReviewSpec {
	r.lock.Lock()
	defer r.lock.Unlock()
	taken := r.specs
	r.specs = nil
	return taken
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// The rules that OLM makes of a CRD that an operator owns, for each of the
// suffixes admin, edit and view (operator-lifecycle-manager,
// pkg/controller/operators/olm/operatorgroup.go, VerbsForSuffix). It labels them
// for aggregation into the cluster roles of the same names.
var olmVerbs = map[string][]string{
	"admin": {"*"},
	"edit":  {"create", "update", "patch", "delete"},
	"view":  {"get", "list", "watch"},
}

func olmRole(suffix string) string { return "nsms.nsm.networkservicemesh.io-v1beta1-" + suffix }

func makeOLMRoles(ctx context.Context) {
	GinkgoHelper()
	for suffix, verbs := range olmVerbs {
		makeRole(ctx, olmRole(suffix), map[string]string{"rbac.authorization.k8s.io/aggregate-to-" + suffix: "true"},
			rbacv1.PolicyRule{APIGroups: []string{"nsm.networkservicemesh.io"}, Resources: []string{"nsms"}, Verbs: verbs})
	}
}

func makeRole(ctx context.Context, name string, labels map[string]string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Rules: rules}
	Expect(admin.Create(ctx, role)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, role)).To(Succeed()) })
}

// bind gives a role to a subject: in a namespace, or in the whole cluster with "".
func bind(ctx context.Context, namespace, role string, subject rbacv1.Subject) {
	GinkgoHelper()
	name := strings.NewReplacer("/", "-", ":", "-").Replace(role + "-" + subject.Namespace + "-" + subject.Name)
	reference := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	var binding client.Object = &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: reference, Subjects: []rbacv1.Subject{subject},
	}
	if namespace != "" {
		binding = &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, RoleRef: reference, Subjects: []rbacv1.Subject{subject},
		}
	}
	Expect(admin.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, binding)).To(Succeed()) })
}

// person is somebody who sends requests.
type person struct {
	rest.ImpersonationConfig
	client.Client
}

// subject of bindings.
func (p *person) subject() rbacv1.Subject {
	if account, ok := strings.CutPrefix(p.UserName, "system:serviceaccount:"); ok {
		namespace, name, _ := strings.Cut(account, ":")
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	}
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: p.UserName}
}

// as is somebody whom the API server takes an admin's requests for, as with
// "kubectl --as".
func as(user string, groups ...string) *person {
	GinkgoHelper()
	return impersonate(rest.ImpersonationConfig{UserName: user, Groups: groups})
}

func impersonate(identity rest.ImpersonationConfig) *person {
	GinkgoHelper()
	config := rest.CopyConfig(server.Config)
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	config.Impersonate = identity
	impersonating, err := client.New(config, client.Options{Scheme: newScheme()})
	Expect(err).NotTo(HaveOccurred())
	return &person{ImpersonationConfig: identity, Client: impersonating}
}

// account is a ServiceAccount, with the groups that its tokens carry.
func account(namespace, name string) *person {
	GinkgoHelper()
	return as("system:serviceaccount:"+namespace+":"+name, "system:serviceaccounts", "system:serviceaccounts:"+namespace)
}

// untilRBAC waits until RBAC lets somebody do something with NSMs in the
// namespace of the tests: the API server takes a moment to see roles and bindings.
func untilRBAC(ctx context.Context, who *person, verb, subresource string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: who.UserName, Groups: who.Groups,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: "nsm.networkservicemesh.io", Resource: "nsms", Subresource: subresource,
			},
		}}
		g.Expect(admin.Create(ctx, review)).To(Succeed())
		g.Expect(review.Status.Allowed).To(BeTrue(), "%s may not %s", who.UserName, verb)
	}).WithContext(ctx).Should(Succeed())
}

// beRefused matches the webhook's refusal of somebody who misses a verb.
func beRefused(who *person, verb string) types.GomegaMatcher {
	return And(MatchError(apierrors.IsForbidden, "IsForbidden"), MatchError(And(
		MatchRegexp(`^admission webhook "validation\.nsm\.networkservicemesh\.io" denied the request: nsms\.nsm\.networkservicemesh\.io "[a-z0-9-]+" is forbidden: User `),
		ContainSubstring(`User "`+who.UserName+`" cannot `+verb+` resource "nsms" in API group "nsm.networkservicemesh.io" at the cluster scope`),
		ContainSubstring("--clusterrole="+webhooks.MeshAdminRole))))
}

// beRefusedByRBAC matches the API server's own refusal.
var beRefusedByRBAC = And(MatchError(apierrors.IsForbidden, "IsForbidden"), MatchError(Not(ContainSubstring("admission webhook"))))

// attempt is a write, and the verb that it takes in the whole cluster; "" for none.
type attempt struct {
	what, verb string
	do         func(ctx context.Context, c client.Client) error
}

const hostile = "registry.example.com/hostile:v1"

// creations are all ways to make an NSM.
var creations = []attempt{
	{"v1beta1", "create", func(ctx context.Context, c client.Client) error {
		return c.Create(ctx, nsm(v1beta1, `{forwarders: [{type: vpp, image: "`+hostile+`"}]}`))
	}},
	{"v1alpha1", "create", func(ctx context.Context, c client.Client) error {
		return c.Create(ctx, nsm(v1alpha1, `{tag: v1.18.0, forwardingPlaneName: vpp, forwardingPlaneImage: "`+hostile+`"}`))
	}},
	{"v1beta1, by server-side apply", "create", func(ctx context.Context, c client.Client) error {
		return apply(ctx, c, nsm(v1beta1, `{forwarders: [{type: vpp, name: vpp, image: "`+hostile+`"}]}`))
	}},
	{"v1alpha1, by server-side apply", "create", func(ctx context.Context, c client.Client) error {
		return apply(ctx, c, nsm(v1alpha1, `{tag: v1.18.0, forwardingPlaneName: vpp, forwardingPlaneImage: "`+hostile+`"}`))
	}},
	{"a dry run", "create", func(ctx context.Context, c client.Client) error {
		return c.Create(ctx, nsm(v1beta1, `{}`), client.DryRunAll)
	}},
	{"with a name that the API server makes", "create", func(ctx context.Context, c client.Client) error {
		unnamed := nsm(v1beta1, `{}`)
		unnamed.SetName("")
		unnamed.SetGenerateName("mesh-")
		return c.Create(ctx, unnamed)
	}},
	{"as if it were being deleted", "create", func(ctx context.Context, c client.Client) error {
		forged := nsm(v1beta1, `{}`)
		now := metav1.Now()
		forged.SetDeletionTimestamp(&now)
		forged.SetFinalizers([]string{"test.example.com/keep"})
		return c.Create(ctx, forged)
	}},
}

// changes are all ways to change what the NSM "mesh" asks for.
var changes = []attempt{
	{"a patch of the spec in v1beta1", "update", patchOf(v1beta1, `{"spec":{"nsmgr":{"image":"`+hostile+`"}}}`)},
	{"a patch of the spec in v1alpha1", "update", patchOf(v1alpha1, `{"spec":{"nsmgrImage":"`+hostile+`"}}`)},
	{"a patch that removes the spec", "update", patchOf(v1beta1, `{"spec":null}`)},
	{"replacing it in v1beta1", "update", func(ctx context.Context, c client.Client) error {
		return replace(ctx, c, v1beta1, "nsmgr", map[string]any{"image": hostile})
	}},
	{"replacing it in v1alpha1", "update", func(ctx context.Context, c client.Client) error {
		return replace(ctx, c, v1alpha1, "nsmgrImage", hostile)
	}},
	{"server-side apply in v1beta1", "update", func(ctx context.Context, c client.Client) error {
		return apply(ctx, c, nsm(v1beta1, `{nsmgr: {image: "`+hostile+`"}}`))
	}},
	{"server-side apply in v1alpha1", "update", func(ctx context.Context, c client.Client) error {
		return apply(ctx, c, nsm(v1alpha1, `{nsmgrImage: "`+hostile+`"}`))
	}},
	{"how it was written in v1alpha1, and nothing else", "update", patchOf(v1alpha1, `{"spec":{"tag":null,"version":"v1.18.0"}}`)},
	{"another content of conversion's annotation", "update", patchOf(v1beta1,
		`{"metadata":{"annotations":{"`+conversion.Annotation+`":"{\"v1alpha1\":{\"spec\":{\"registry\":5},\"of\":\"0\"}}"}}}`)},
	{"conversion's annotation taken away", "update", patchOf(v1beta1, `{"metadata":{"annotations":{"`+conversion.Annotation+`":null}}}`)},
	{"the annotation that lets a mesh be taken over", "update", patchOf(v1alpha1,
		`{"metadata":{"annotations":{"`+mesh.TakeOverAnnotation+`":"`+mesh.TakeOverValue+`"}}}`)},
	{"any annotation of the operator's domain", "update", patchOf(v1beta1, `{"metadata":{"annotations":{"nsm.networkservicemesh.io/any":"x"}}}`)},
}

// others are all writes that change nothing that the operator acts on.
var others = []attempt{
	{"labels in v1beta1", "", patchOf(v1beta1, `{"metadata":{"labels":{"team":"a"}}}`)},
	{"labels in v1alpha1", "", patchOf(v1alpha1, `{"metadata":{"labels":{"team":"b"}}}`)},
	{"an annotation of somebody else's in v1beta1", "", patchOf(v1beta1, `{"metadata":{"annotations":{"example.com/note":"a"}}}`)},
	{"an annotation of somebody else's in v1alpha1", "", patchOf(v1alpha1, `{"metadata":{"annotations":{"example.com/note":"b"}}}`)},
	{"a finalizer in v1beta1", "", patchOf(v1beta1, `{"metadata":{"finalizers":["test.example.com/keep"]}}`)},
	{"no finalizer in v1alpha1", "", patchOf(v1alpha1, `{"metadata":{"finalizers":null}}`)},
	{"labels by server-side apply in v1beta1", "", func(ctx context.Context, c client.Client) error { return applyLabel(ctx, c, v1beta1) }},
	{"labels by server-side apply in v1alpha1", "", func(ctx context.Context, c client.Client) error { return applyLabel(ctx, c, v1alpha1) }},
	{"replacing it by itself, with a label, in v1beta1", "", func(ctx context.Context, c client.Client) error {
		return replace(ctx, c, v1beta1, "", nil)
	}},
	{"replacing it by itself, with a label, in v1alpha1", "", func(ctx context.Context, c client.Client) error {
		return replace(ctx, c, v1alpha1, "", nil)
	}},
	{"status sent to the resource itself", "", patchOf(v1beta1, `{"metadata":{"labels":{"team":"c"}},"status":{"version":"v1.0.0"}}`)},
	{"a patch that changes nothing, in v1beta1", "", patchOf(v1beta1, `{"spec":{"logLevel":"INFO"}}`)},
	{"a patch that changes nothing, in v1alpha1", "", patchOf(v1alpha1, `{"spec":{"nsmLogLevel":"INFO"}}`)},
}

func patchOf(version, patch string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		return c.Patch(ctx, nsm(version, `{}`), mergePatch(patch))
	}
}

// apply applies an object as "kubectl apply --server-side --force-conflicts" does.
func apply(ctx context.Context, c client.Client, object *unstructured.Unstructured) error {
	return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("somebody"), client.ForceOwnership)
}

func applyLabel(ctx context.Context, c client.Client, version string) error {
	labelled := of(version, nsm(version, `{}`))
	labelled.SetLabels(map[string]string{"team": "applied-" + version[len(version)-5:]})
	return apply(ctx, c, labelled)
}

// replace writes the whole NSM, with a field of its spec changed, if one is named,
// and a label.
func replace(ctx context.Context, c client.Client, version, field string, value any) error {
	GinkgoHelper()
	object := in(ctx, version, nsm(version, `{}`))
	object.SetLabels(map[string]string{"team": "replaced-" + version[len(version)-5:]})
	if field != "" {
		Expect(unstructured.SetNestedField(object.Object, value, "spec", field)).To(Succeed())
	}
	return c.Update(ctx, object)
}

// makeMesh makes, as an admin, an NSM that carries conversion's annotation.
func makeMesh(ctx context.Context) *unstructured.Unstructured {
	GinkgoHelper()
	Expect(admin.Create(ctx, nsm(v1alpha1, `{tag: v1.18.0, registry: ghcr.io, nsmLogLevel: INFO}`))).To(Succeed())
	made := in(ctx, v1beta1, nsm(v1beta1, `{}`))
	Expect(made.GetAnnotations()).To(HaveKey(conversion.Annotation))
	untilKnown(ctx, made)
	untilServed(ctx, made.GetResourceVersion())
	asked.take()
	return made
}

// untilServed waits until the API server's own caches, one for each version, know a state
// of the NSM: a write that starts from an older state is tried, and asked about, twice.
func untilServed(ctx context.Context, resourceVersion string) {
	GinkgoHelper()
	for _, version := range []string{v1beta1, v1alpha1} {
		Eventually(func(g Gomega) {
			served := of(version, nsm(version, `{}`))
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(served), served,
				&client.GetOptions{Raw: &metav1.GetOptions{ResourceVersion: "0"}})).To(Succeed())
			g.Expect(served.GetResourceVersion()).To(Equal(resourceVersion))
		}).WithContext(ctx).Should(Succeed())
	}
}

// release lets an NSM that is being deleted go.
func release(ctx context.Context) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(admin.Patch(ctx, nsm(v1beta1, `{}`), mergePatch(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
}

var _ = Describe("Authorization", Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx SpecContext) {
		server.StartControllers(ctx, "clusterrole-aggregation-controller")
		makeOLMRoles(ctx)
	})
	BeforeEach(func() { asked.take() })
	AfterEach(func(ctx SpecContext) {
		release(ctx)
		removeAll(ctx)
	})

	// Somebody may have taken the matchConditions away. Then the API server asks about
	// every write.
	for _, layout := range []string{"without matchConditions", "with matchConditions"} {
		Context(layout, Ordered, func() {
			var editor *person

			BeforeAll(func(ctx SpecContext) {
				if layout == "without matchConditions" {
					removeMatchConditions(ctx)
				}
				editor = account(namespace, "editor")
				bind(ctx, namespace, olmRole("admin"), editor.subject())
				untilRBAC(ctx, editor, "create", "")
			})

			for _, creation := range creations {
				It("keeps the editor of a namespace from creating: "+creation.what, func(ctx SpecContext) {
					Expect(creation.do(ctx, editor)).To(beRefused(editor, creation.verb))
					Expect(asked.take()).To(HaveLen(1))
					var none nsmv1beta1.NSMList
					Expect(admin.List(ctx, &none)).To(Succeed())
					Expect(none.Items).To(BeEmpty())
				})
			}

			for _, change := range changes {
				It("keeps the editor of a namespace from changing: "+change.what, func(ctx SpecContext) {
					before := makeMesh(ctx)
					Expect(change.do(ctx, editor)).To(beRefused(editor, change.verb))
					Expect(asked.take()).To(HaveLen(1))
					Expect(in(ctx, v1beta1, before)).To(Equal(before))
				})
			}

			It("keeps the editor of a namespace from changing what is held while it is deleted", func(ctx SpecContext) {
				makeMesh(ctx)
				Expect(editor.Patch(ctx, nsm(v1beta1, `{}`), mergePatch(`{"metadata":{"finalizers":["test.example.com/keep"]}}`))).To(Succeed())
				Expect(editor.Delete(ctx, nsm(v1beta1, `{}`))).To(Succeed())
				untilServed(ctx, in(ctx, v1beta1, nsm(v1beta1, `{}`)).GetResourceVersion())
				for _, version := range []string{v1beta1, v1alpha1} {
					Expect(patchOf(version, `{"metadata":{"finalizers":null},"spec":{"registry":{"image":"`+hostile+`"}}}`)(ctx, editor)).
						To(beRefused(editor, "update"), version)
				}
				Expect(patchOf(v1beta1, `{"metadata":{"annotations":{"`+conversion.Annotation+`":null}}}`)(ctx, editor)).
					To(beRefused(editor, "update"))
				Expect(asked.take()).To(HaveLen(3))
			})

			It("leaves nothing of what somebody puts into conversion's annotation in v1alpha1", func(ctx SpecContext) {
				before := makeMesh(ctx)
				for _, forged := range []string{
					`{\"v1beta1\":[{\"path\":[\".spec\",\".nsmgr\"],\"is\":[{\"image\":\"` + hostile + `\"}]}]}`,
					`{\"v1alpha1\":{\"spec\":{\"registry\":5},\"of\":\"0\"}}`,
					`nonsense`,
				} {
					err := patchOf(v1alpha1, `{"metadata":{"annotations":{"`+conversion.Annotation+`":"`+forged+`"}}}`)(ctx, editor)
					if err != nil {
						Expect(err).To(beRefused(editor, "update"), forged)
					}
					now := in(ctx, v1beta1, before)
					Expect(spec(now)).To(Equal(spec(before)), forged)
					Expect(now.GetAnnotations()).To(Equal(before.GetAnnotations()), forged)
				}
			})

			It("never stores what claims to have been in hand, whoever writes it", func(ctx SpecContext) {
				const forged = `{"inHand":{"apiVersion":"nsm.networkservicemesh.io/v1beta1","spec":{"a":"b"}}}`
				patch := mergePatch(`{"metadata":{"annotations":{"` + conversion.Annotation + `":` + strconv.Quote(forged) + `}}}`)
				annotated := nsm(v1beta1, `{version: v1.18.0}`)
				annotated.SetAnnotations(map[string]string{conversion.Annotation: forged})
				annotated.SetFinalizers([]string{"test.example.com/keep"})
				Expect(admin.Create(ctx, annotated)).To(Succeed())
				asked.take()

				By("creating")
				Expect(in(ctx, v1beta1, annotated).GetAnnotations()).NotTo(HaveKey(conversion.Annotation))
				By("patching")
				Expect(editor.Patch(ctx, nsm(v1beta1, `{}`), patch)).To(Succeed())
				Expect(in(ctx, v1beta1, annotated).GetAnnotations()).NotTo(HaveKey(conversion.Annotation))
				By("patching what is being deleted")
				Expect(editor.Delete(ctx, nsm(v1beta1, `{}`))).To(Succeed())
				Expect(editor.Patch(ctx, nsm(v1beta1, `{}`), patch)).To(Succeed())
				Expect(in(ctx, v1beta1, annotated).GetAnnotations()).NotTo(HaveKey(conversion.Annotation))
				Expect(asked.take()).To(BeEmpty())
			})

			It("leaves all else to RBAC", func(ctx SpecContext) {
				before := makeMesh(ctx)
				for _, other := range others {
					Expect(other.do(ctx, editor)).To(Succeed(), other.what)
					Expect(asked.take()).To(BeEmpty(), other.what)
				}
				after := in(ctx, v1beta1, before)
				Expect(after.GetLabels()).To(HaveKey("team"))
				Expect(after.GetGeneration()).To(Equal(before.GetGeneration()))
				Expect(spec(after)).To(Equal(spec(before)))
				Expect(after.GetAnnotations()).To(HaveKeyWithValue(conversion.Annotation, before.GetAnnotations()[conversion.Annotation]))
				Expect(after.Object).NotTo(HaveKeyWithValue("status", HaveKeyWithValue("version", "v1.0.0")))
			})

			for _, version := range []string{v1beta1, v1alpha1} {
				It("leaves deletion to RBAC, and the finalizer that holds it, in "+version, func(ctx SpecContext) {
					makeMesh(ctx)
					Expect(patchOf(version, `{"metadata":{"finalizers":["test.example.com/keep"]}}`)(ctx, editor)).To(Succeed())
					Expect(editor.Delete(ctx, nsm(version, `{}`))).To(Succeed())
					Expect(in(ctx, version, nsm(version, `{}`)).GetDeletionTimestamp()).NotTo(BeNil())
					Expect(patchOf(version, `{"metadata":{"finalizers":null}}`)(ctx, editor)).To(Succeed())
					Expect(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "mesh"}, &nsmv1beta1.NSM{})).
						To(MatchError(apierrors.IsNotFound, "IsNotFound"))
					Expect(asked.take()).To(BeEmpty())
				})
			}

			It("leaves the deletion of all of a namespace to RBAC", func(ctx SpecContext) {
				makeMesh(ctx)
				Expect(editor.DeleteAllOf(ctx, &nsmv1beta1.NSM{}, client.InNamespace(namespace))).To(Succeed())
				Expect(asked.take()).To(BeEmpty())
			})

			It("asks once about each thing that an admin writes", func(ctx SpecContext) {
				for _, creation := range creations {
					Expect(creation.do(ctx, admin)).To(Succeed(), creation.what)
					Expect(asked.take()).To(ConsistOf(HaveField("ResourceAttributes.Verb", "create")), creation.what)
					release(ctx)
					removeAll(ctx)
				}
				for _, change := range changes {
					makeMesh(ctx)
					Expect(change.do(ctx, admin)).To(Or(Succeed(), MatchError(apierrors.IsInvalid, "IsInvalid")), change.what)
					Expect(asked.take()).To(ConsistOf(HaveField("ResourceAttributes.Verb", "update")), change.what)
					removeAll(ctx)
				}
			})
		})
	}

	Context("while nobody answers for the webhooks, with matchConditions", Ordered, func() {
		It("lets through what changes nothing that the operator acts on", func(ctx SpecContext) {
			makeMesh(ctx)
			makeUnreachable(ctx)
			for _, other := range others {
				switch {
				case strings.Contains(other.what, "annotation"), strings.Contains(other.what, "v1alpha1"):
					Expect(other.do(ctx, admin)).To(MatchError(ContainSubstring("failed calling webhook")), other.what)
				default:
					Expect(other.do(ctx, admin)).To(Succeed(), other.what)
				}
			}
		})

		It("lets nothing else through", func(ctx SpecContext) {
			before := makeMesh(ctx)
			makeUnreachable(ctx)
			for _, change := range changes {
				Expect(change.do(ctx, admin)).To(MatchError(ContainSubstring("failed calling webhook")), change.what)
			}
			Expect(in(ctx, v1beta1, before)).To(Equal(before))
		})

		DescribeTable("lets an NSM go, by its finalizer", func(ctx SpecContext, version string, like func() *unstructured.Unstructured) {
			object := like()
			object.SetFinalizers([]string{"test.example.com/keep"})
			withoutWebhooks(ctx, func() { Expect(admin.Create(ctx, object)).To(Succeed()) })
			makeUnreachable(ctx)
			Expect(admin.Delete(ctx, of(version, object))).To(Succeed())
			Expect(patchOf(v1beta1, `{"metadata":{"finalizers":null},"spec":{"logLevel":"DEBUG"}}`)(ctx, admin)).
				To(MatchError(ContainSubstring("failed calling webhook")), "somebody has to be asked about that")
			Expect(patchOf(version, `{"metadata":{"finalizers":null}}`)(ctx, admin)).To(Succeed())
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), &nsmv1beta1.NSM{})).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		},
			Entry("in v1beta1", v1beta1, func() *unstructured.Unstructured { return nsm(v1alpha1, `{tag: v1.18.0}`) }),
			Entry("in v1alpha1", v1alpha1, func() *unstructured.Unstructured { return nsm(v1alpha1, `{tag: v1.18.0}`) }),
			Entry("without a spec", v1beta1, func() *unstructured.Unstructured {
				object := nsm(v1beta1, `{}`)
				delete(object.Object, "spec")
				return object
			}),
			Entry("with all the annotations that there is room for", v1beta1, func() *unstructured.Unstructured {
				object := nsm(v1beta1, `{}`)
				annotations := map[string]string{}
				for i := range 20000 {
					annotations[fmt.Sprintf("%05d", i)] = "xxxxxxx"
				}
				object.SetAnnotations(annotations)
				return object
			}),
		)
	})

	It("leaves the spec alone when only a label changes, though it could be defaulted", func(ctx SpecContext) {
		editor := account(namespace, "editor")
		bind(ctx, namespace, olmRole("admin"), editor.subject())
		untilRBAC(ctx, editor, "patch", "")
		withoutWebhooks(ctx, func() { Expect(admin.Create(ctx, nsm(v1beta1, `{}`))).To(Succeed()) })
		for _, version := range []string{v1beta1, v1alpha1} {
			Expect(patchOf(version, `{"metadata":{"labels":{"team":"`+version[len(version)-5:]+`"}}}`)(ctx, editor)).To(Succeed(), version)
		}
		Expect(spec(in(ctx, v1beta1, nsm(v1beta1, `{}`)))).To(BeEmpty())
	})

	DescribeTable("of people", func(ctx SpecContext, who func() *person, where, role string, allowed bool) {
		somebody := who()
		bind(ctx, where, role, somebody.subject())
		untilRBAC(ctx, somebody, "create", "")
		untilRBAC(ctx, somebody, "patch", "")
		if !allowed {
			Expect(somebody.Create(ctx, nsm(v1beta1, `{}`))).To(beRefused(somebody, "create"))
			makeMesh(ctx)
			Expect(patchOf(v1alpha1, `{"spec":{"nsmLogLevel":"DEBUG"}}`)(ctx, somebody)).To(beRefused(somebody, "update"))
			return
		}
		Expect(apply(ctx, somebody, nsm(v1beta1, `{logLevel: INFO}`))).To(Succeed())
		Expect(patchOf(v1alpha1, `{"spec":{"nsmLogLevel":"DEBUG"}}`)(ctx, somebody)).To(Succeed())
		Expect(spec(in(ctx, v1beta1, nsm(v1beta1, `{}`)))).To(HaveKeyWithValue("logLevel", "DEBUG"))
	},
		Entry("with the cluster role edit, in one namespace", func() *person { return account(namespace, "stock-editor") }, namespace, "edit", false),
		Entry("with the cluster role admin, in one namespace", func() *person { return account(namespace, "stock-admin") }, namespace, "admin", false),
		Entry("with the role that OLM makes for edit, in one namespace", func() *person { return account(namespace, "olm-editor") }, namespace, olmRole("edit"), false),
		Entry("a mesh admin of one namespace", func() *person { return as("mia") }, namespace, webhooks.MeshAdminRole, false),
		Entry("a mesh admin", func() *person { return as("mia") }, "", webhooks.MeshAdminRole, true),
		Entry("a cluster admin", func() *person { return as("claus", "staff") }, "", "cluster-admin", true),
		Entry("a cluster admin of one namespace", func() *person { return as("clara", "staff") }, namespace, "cluster-admin", false),
		Entry("Argo CD in the whole cluster", func() *person { return account("argocd", "argocd-application-controller") }, "", "cluster-admin", true),
		Entry("Argo CD in one namespace", func() *person { return account("argocd", "argocd-of-a-tenant") }, namespace, "admin", false),
		Entry("Flux in the whole cluster", func() *person { return account("flux-system", "kustomize-controller") }, "", "cluster-admin", true),
		Entry("Flux for a tenant", func() *person { return account(namespace, "flux-tenant") }, namespace, "admin", false),
	)

	It("lets OLM itself do what it may", func(ctx SpecContext) {
		// As OLM's manifests have it: everything, everywhere.
		makeRole(ctx, "system:controller:operator-lifecycle-manager", nil,
			rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
			rbacv1.PolicyRule{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}})
		olm := account("olm", "olm-operator-serviceaccount")
		bind(ctx, "", "system:controller:operator-lifecycle-manager", olm.subject())
		untilRBAC(ctx, olm, "create", "")
		Expect(olm.Create(ctx, nsm(v1alpha1, `{version: v1.8.0}`))).To(Succeed())
	})

	It("asks about all that is known of a user, as with kubectl --as", func(ctx SpecContext) {
		jane := impersonate(rest.ImpersonationConfig{
			UserName: "jane", UID: "42", Groups: []string{"platform", "staff"}, Extra: map[string][]string{"reason": {"ticket 7", "on call"}},
		})
		group := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "platform"}
		bind(ctx, "", webhooks.MeshAdminRole, group)
		untilRBAC(ctx, jane, "create", "")
		Expect(jane.Create(ctx, nsm(v1beta1, `{}`))).To(Succeed(), "the group may")
		Expect(asked.take()).To(Equal([]authorizationv1.SubjectAccessReviewSpec{{
			User: "jane", UID: "42", Groups: []string{"platform", "staff", "system:authenticated"},
			Extra: map[string]authorizationv1.ExtraValue{"reason": {"ticket 7", "on call"}},
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: "create", Group: "nsm.networkservicemesh.io", Version: "v1beta1", Resource: "nsms",
			},
		}}))
	})

	It("says what is missing, why, and the command that grants it", func(ctx SpecContext) {
		editor := account(namespace, "editor")
		bind(ctx, namespace, olmRole("admin"), editor.subject())
		untilRBAC(ctx, editor, "create", "")
		err := editor.Create(ctx, nsm(v1beta1, `{}`))
		Expect(err).To(MatchError(`admission webhook "validation.nsm.networkservicemesh.io" denied the request: ` +
			`nsms.nsm.networkservicemesh.io "mesh" is forbidden: User "system:serviceaccount:nsm:editor" cannot create resource "nsms" ` +
			`in API group "nsm.networkservicemesh.io" at the cluster scope. An NSM runs privileged pods on every node and a webhook for ` +
			`the whole cluster, so a right in one namespace is not enough to create one, or to change its spec or its annotations ` +
			`nsm.networkservicemesh.io/*. A cluster admin can grant what is missing: ` +
			`kubectl create clusterrolebinding nsm-operator-mesh-admin-nsm-editor --clusterrole=nsm-operator-mesh-admin --serviceaccount=nsm:editor`))

		By("and the command works")
		_, command, _ := strings.Cut(err.Error(), "kubectl ")
		server.Kubectl(ctx, strings.Fields(command)...)
		DeferCleanup(func(ctx SpecContext) {
			server.Kubectl(ctx, "delete", "clusterrolebinding", "nsm-operator-mesh-admin-nsm-editor")
		})
		Eventually(func() error { return editor.Create(ctx, nsm(v1beta1, `{}`)) }).Should(Succeed())
	})

	Context("by the roles that come with the operator", func() {
		It("adds reading, and nothing else, to the cluster roles of Kubernetes", func(ctx SpecContext) {
			viewer := as("vera")
			bind(ctx, namespace, "view", viewer.subject())
			untilRBAC(ctx, viewer, "list", "")
			makeMesh(ctx)
			for _, version := range []string{v1beta1, v1alpha1} {
				Expect(viewer.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "mesh"}, of(version, nsm(version, `{}`)))).To(Succeed())
				Expect(patchOf(version, `{"metadata":{"labels":{"team":"a"}}}`)(ctx, viewer)).To(beRefusedByRBAC)
			}
			var shipped rbacv1.ClusterRoleList
			Expect(admin.List(ctx, &shipped, client.MatchingLabels{"app.kubernetes.io/name": "nsm-operator"})).To(Succeed())
			Expect(shipped.Items).NotTo(BeEmpty())
			for _, role := range shipped.Items {
				for label := range role.Labels {
					if strings.HasPrefix(label, "rbac.authorization.k8s.io/aggregate-to-") {
						Expect(role.Rules).To(HaveEach(HaveField("Verbs", HaveEach(BeElementOf("get", "list", "watch")))), role.Name)
					}
				}
			}
		})

		It("lets the operator put its finalizer on, and create or change nothing", func(ctx SpecContext) {
			operator := account(apiserver.OperatorNamespace, "nsm-operator")
			untilRBAC(ctx, operator, "patch", "")
			makeMesh(ctx)
			Expect(patchOf(v1beta1, `{"metadata":{"finalizers":["nsm.networkservicemesh.io/finalizer"]}}`)(ctx, operator)).To(Succeed())
			Expect(operator.Status().Patch(ctx, nsm(v1beta1, `{}`), mergePatch(`{"status":{"version":"v1.18.0"}}`))).To(Succeed())
			Expect(patchOf(v1beta1, `{"metadata":{"finalizers":null}}`)(ctx, operator)).To(Succeed())
			Expect(asked.take()).To(BeEmpty())
			Expect(patchOf(v1beta1, `{"spec":{"logLevel":"DEBUG"}}`)(ctx, operator)).To(beRefused(operator, "update"))
			other := nsm(v1beta1, `{}`)
			other.SetName("other")
			Expect(operator.Create(ctx, other)).To(beRefusedByRBAC)
		})
	})

	It("knows no scale, through which somebody could change an NSM", func(ctx SpecContext) {
		meta := metav1.ObjectMeta{Namespace: namespace, Name: makeMesh(ctx).GetName()}
		for _, mesh := range []client.Object{&nsmv1beta1.NSM{ObjectMeta: meta}, &nsmv1alpha1.NSM{ObjectMeta: meta}} {
			scale := &autoscalingv1.Scale{ObjectMeta: meta}
			Expect(admin.SubResource("scale").Get(ctx, mesh, scale)).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
			Expect(admin.SubResource("scale").Update(ctx, mesh, client.WithSubResourceBody(scale))).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		}
	})

	It("lets whoever may write the status write that and nothing else", func(ctx SpecContext) {
		makeRole(ctx, "status-writer", nil, rbacv1.PolicyRule{
			APIGroups: []string{"nsm.networkservicemesh.io"}, Resources: []string{"nsms/status"}, Verbs: []string{"get", "update", "patch"},
		})
		writer, editor := account(namespace, "writer"), account(namespace, "editor")
		bind(ctx, namespace, "status-writer", writer.subject())
		bind(ctx, namespace, olmRole("admin"), editor.subject())
		untilRBAC(ctx, writer, "patch", "status")
		untilRBAC(ctx, editor, "patch", "")
		before := makeMesh(ctx)
		for version, status := range map[string]string{v1beta1: `{"version":"v1.17.0"}`, v1alpha1: `{"phase":"Running"}`} {
			smuggled := mergePatch(`{"status":` + status + `,"spec":{"nsmgr":{"image":"` + hostile + `"}},` +
				`"metadata":{"annotations":{"` + conversion.Annotation + `":null}}}`)
			Expect(editor.Status().Patch(ctx, nsm(version, `{}`), smuggled)).To(beRefusedByRBAC)
			Expect(writer.Status().Patch(ctx, nsm(version, `{}`), smuggled)).To(Succeed(), version)
			after := in(ctx, v1beta1, before)
			Expect(spec(after)).To(Equal(spec(before)), version)
			Expect(after.GetGeneration()).To(Equal(before.GetGeneration()), version)
			original, carried := originalOf(after)
			was, _ := originalOf(before)
			Expect(carried).To(BeTrue())
			Expect(original).To(MatchJSON(was), version)
		}
		Expect(asked.take()).To(BeEmpty())
	})

	Context("while the API server does not answer", func() {
		remains := func(ctx context.Context, silence func(), message types.GomegaMatcher) {
			GinkgoHelper()
			before := makeMesh(ctx)
			silence()
			err := patchOf(v1beta1, `{"spec":{"logLevel":"DEBUG"}}`)(ctx, admin)
			Expect(err).To(MatchError(apierrors.IsServiceUnavailable, "IsServiceUnavailable"))
			Expect(err).To(MatchError(message))
			Expect(spec(in(ctx, v1beta1, before))).To(Equal(spec(before)))
			By("labels, finalizers and deletion go on")
			Expect(patchOf(v1beta1, `{"metadata":{"labels":{"team":"a"},"finalizers":["test.example.com/keep"]}}`)(ctx, admin)).To(Succeed())
			Expect(admin.Delete(ctx, nsm(v1beta1, `{}`))).To(Succeed())
			Expect(patchOf(v1alpha1, `{"metadata":{"finalizers":null}}`)(ctx, admin)).To(Succeed())
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(before), &nsmv1beta1.NSM{})).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		}
		const refusal = `admission webhook "validation.nsm.networkservicemesh.io" denied the request: the operator could not ask the API server ` +
			`whether user "admin" may update NSMs in the whole cluster, so it refuses: try again`

		It("refuses, when it may not ask", func(ctx SpecContext) {
			remains(ctx, func() { forbidReviews(ctx) }, And(HavePrefix(refusal), ContainSubstring("subjectaccessreviews.authorization.k8s.io is forbidden")))
		})

		It("refuses, in time, when nothing comes back", func(ctx SpecContext) {
			remains(ctx, func() {
				asked.stall(true)
				DeferCleanup(asked.stall, false)
			}, And(HavePrefix(refusal), ContainSubstring("context deadline exceeded")))
		})
	})
})

// forbidReviews takes, until the end of the spec, the right from the operator to
// ask what others may.
func forbidReviews(ctx context.Context) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator"}, role)).To(Succeed())
	before := role.DeepCopy()
	role.Rules = slices.DeleteFunc(role.Rules, func(rule rbacv1.PolicyRule) bool {
		return slices.Contains(rule.Resources, "subjectaccessreviews")
	})
	Expect(role.Rules).To(HaveLen(len(before.Rules) - 1))
	Expect(admin.Patch(ctx, role, client.MergeFrom(before))).To(Succeed())
	Eventually(dryRun).WithContext(ctx).WithArguments(`{}`).Should(MatchError(ContainSubstring("could not ask")))
	DeferCleanup(func(ctx SpecContext) {
		role.Rules = before.Rules
		Expect(admin.Update(ctx, role)).To(Succeed())
		Eventually(dryRun).WithContext(ctx).WithArguments(`{}`).Should(Succeed())
	})
}

// originalOf is what an object was written as in v1alpha1.
func originalOf(object *unstructured.Unstructured) (json.RawMessage, bool) {
	return conversion.OriginalSpec(&nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Annotations: object.GetAnnotations()}})
}

// removeMatchConditions takes the matchConditions from the webhooks until the end of
// the container or spec.
func removeMatchConditions(ctx context.Context) {
	GinkgoHelper()
	var validation admissionregistrationv1.ValidatingWebhookConfiguration
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, &validation)).To(Succeed())
	var defaults admissionregistrationv1.MutatingWebhookConfiguration
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-defaults"}, &defaults)).To(Succeed())
	validating, mutating := validation.Webhooks[0].MatchConditions, defaults.Webhooks[0].MatchConditions
	Expect(validating).NotTo(BeEmpty())
	Expect(mutating).NotTo(BeEmpty())
	changeMatchConditions(ctx, nil, nil)
	asked.take()
	DeferCleanup(func(ctx SpecContext) { changeMatchConditions(ctx, validating, mutating) })
}

// changeMatchConditions waits until the API server knows the new ones. That can be
// seen by what it does without those that it has in between.
func changeMatchConditions(ctx context.Context, validating, mutating []admissionregistrationv1.MatchCondition) {
	GinkgoHelper()
	unlabelled := []admissionregistrationv1.MatchCondition{{
		Name: "unlabelled", Expression: `!has(object.metadata.labels) || !('probe' in object.metadata.labels)`,
	}}
	setMatchConditions(ctx, unlabelled, unlabelled)
	for _, refused := range refusedByEach {
		Eventually(probe).WithContext(ctx).WithArguments(refused).Should(Or(Succeed(), MatchError(Not(ContainSubstring("admission webhook")))))
	}
	setMatchConditions(ctx, validating, mutating)
	for _, refused := range refusedByEach {
		Eventually(probe).WithContext(ctx).WithArguments(refused).Should(MatchError(ContainSubstring("admission webhook")))
	}
}

// makeUnreachable lets nobody answer for the webhooks, but for conversion, until
// the end of the spec.
func makeUnreachable(ctx context.Context) {
	GinkgoHelper()
	var validation admissionregistrationv1.ValidatingWebhookConfiguration
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, &validation)).To(Succeed())
	var defaults admissionregistrationv1.MutatingWebhookConfiguration
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-defaults"}, &defaults)).To(Succeed())
	validates, sets := *validation.Webhooks[0].ClientConfig.URL, *defaults.Webhooks[0].ClientConfig.URL
	send := func(ctx context.Context, validation, defaults client.Object, validates, sets string) {
		for object, url := range map[client.Object]string{validation: validates, defaults: sets} {
			Expect(admin.Patch(ctx, object, client.RawPatch("application/json-patch+json",
				[]byte(`[{"op":"replace","path":"/webhooks/0/clientConfig/url","value":"`+url+`"}]`)))).To(Succeed())
		}
	}
	const nobody = "https://127.0.0.1:1/"
	// A dry run of each, which one webhook is asked about at a time.
	send(ctx, &validation, &defaults, nobody, sets)
	Eventually(dryRun).WithContext(ctx).WithArguments(`{}`).Should(MatchError(ContainSubstring(`failed calling webhook "validation`)))
	send(ctx, &validation, &defaults, nobody, nobody)
	Eventually(dryRun).WithContext(ctx).WithArguments(`{}`).Should(MatchError(ContainSubstring(`failed calling webhook "defaults`)))
	DeferCleanup(func(ctx SpecContext) {
		send(ctx, &validation, &defaults, validates, sets)
		Eventually(dryRun).WithContext(ctx).WithArguments(`{}`).Should(Or(Succeed(), MatchError(Not(ContainSubstring("failed calling webhook")))))
	})
}

// refusedByEach are specs that defaulting and validation refuse.
var refusedByEach = []string{`{version: 1.18}`, `{interdomain: {}}`}

func probe(ctx context.Context, spec string) error {
	probe := nsm(v1beta1, spec)
	probe.SetName("probe")
	probe.SetLabels(map[string]string{"probe": ""})
	return admin.Create(ctx, probe, client.DryRunAll)
}

func setMatchConditions(ctx context.Context, validating, mutating []admissionregistrationv1.MatchCondition) {
	GinkgoHelper()
	var validation admissionregistrationv1.ValidatingWebhookConfiguration
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, &validation)).To(Succeed())
	validation.Webhooks[0].MatchConditions = validating
	Expect(admin.Update(ctx, &validation)).To(Succeed())
	var defaults admissionregistrationv1.MutatingWebhookConfiguration
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-defaults"}, &defaults)).To(Succeed())
	defaults.Webhooks[0].MatchConditions = mutating
	Expect(admin.Update(ctx, &defaults)).To(Succeed())
}

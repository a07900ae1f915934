package main

import (
	"context"
	"errors"
	"net/http"
)

const (
	webhookComponent = "admission-webhook"
	// certificateAnnotation is on the pods of webhooks that take their certificate from the operator, who then registers
	// them.
	certificateAnnotation = "nsm.networkservicemesh.io/certificate"

	webhooksPath = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
)

// registerWebhooks plays the part of NSM's admission webhooks before v1.12.0, which register themselves when they start,
// and only then. Since nobody answers, what they register is called for nothing.
func (r *registrar) registerWebhooks(ctx context.Context, pods []pod) error {
	var errs []error
	for _, p := range pods {
		if !p.isSelfRegisteringWebhook() || r.webhooks[p.Metadata.objectName] {
			continue
		}
		err := r.api.create(ctx, webhooksPath, webhookRegistration(p))
		if err != nil && statusOf(err) != http.StatusConflict {
			errs = append(errs, err)
			continue
		}
		r.webhooks[p.Metadata.objectName] = true
	}
	return errors.Join(errs...)
}

func (p pod) isSelfRegisteringWebhook() bool {
	return p.Metadata.Labels[componentLabel] == webhookComponent && p.works() && p.Metadata.Annotations[certificateAnnotation] == ""
}

// webhookRegistration has the pod's name and calls its Service.
func webhookRegistration(p pod) object {
	return object{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
		"metadata": object{"name": p.Metadata.Name},
		"webhooks": []object{{
			"name": p.Metadata.Name + ".networkservicemesh.io",
			"clientConfig": object{"service": object{
				"name": "admission-webhook-svc", "namespace": p.Metadata.Namespace, "path": "/mutate",
			}},
			"sideEffects": "None", "admissionReviewVersions": []string{"v1"},
		}},
	}
}

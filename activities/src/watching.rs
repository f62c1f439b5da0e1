//! Hands to the main routines of workflows whoever is told what they see.

use std::sync::Arc;

use interlock_domain::observation::Observer;
use interlock_workflows::Watcher;
use temporalio_sdk::workflow_interceptors::{
    ExecuteWorkflowInput, ExecuteWorkflowResult, WorkflowInterceptor, WorkflowInterceptorConstructor,
    WorkflowInterceptorContext, WorkflowInterceptorFuture, WorkflowNext,
};

struct Watching(Arc<dyn Observer>);

impl WorkflowInterceptor for Watching {
    fn execute<'a>(
        &'a self,
        context: WorkflowInterceptorContext,
        input: ExecuteWorkflowInput,
        next: WorkflowNext<'a, ExecuteWorkflowInput, WorkflowInterceptorFuture<'a, ExecuteWorkflowResult>>,
    ) -> WorkflowInterceptorFuture<'a, ExecuteWorkflowResult> {
        let observer = Arc::clone(&self.0);
        WorkflowInterceptorFuture::new(context.with_context_value::<Watcher, _>(observer, next.run(input)))
    }
}

/// Makes the interceptor of each workflow.
pub(crate) fn watching(observer: Arc<dyn Observer>) -> WorkflowInterceptorConstructor {
    WorkflowInterceptorConstructor::new(move |_view| Watching(Arc::clone(&observer)))
}

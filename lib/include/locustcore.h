/* liblocustcore: the whole engine in one include. */
#ifndef LOCUSTCORE_H
#define LOCUSTCORE_H

#include "locustcore/version.h"
#include "locustcore/error.h"
#include "locustcore/str.h"
#include "locustcore/loop.h"
#include "locustcore/http.h"
#include "locustcore/form.h"
#include "locustcore/fiber.h"
#include "locustcore/phases.h"
#include "locustcore/stats.h"
#include "locustcore/meter.h"
#include "locustcore/report.h"
#include "locustcore/prometheus.h"
#include "locustcore/run.h"
#include "locustcore/rpc.h"

#endif

// Package learn predicts the trust score of a forecast before it is known, and
// learns from it afterwards: an online model, one for each task.
//
// # Guarantees
//
//   - Predict comes before Learn and only reads, so every error is one of a
//     prediction (TestModel_PredictOnlyReads). No field of the forecast is an
//     input; package series says what is.
//   - Predictions are in [0,1], and nothing that is not a finite number enters or
//     arises, whatever comes (FuzzModel, TestModel_StaysBoundedWhenNothingIsToLearn).
//     What cannot be learned from is a Fault to count, and costs nothing else
//     (TestModel_FaultsAreTypedAndHarmless).
//   - A model of 4,539 bytes is restored to the bit
//     (TestModel_RestoredGoesOnTheSame), and garbage is refused (FuzzModel_Garbage).
//   - It allocates nothing and has no clock, no randomness, and no operation that
//     an architecture may fuse.
//
// # The model
//
// A stream's trust is close to what it was: the last score is a strong prediction.
// The model predicts the change from it, linear in the features, by recursive
// least squares with forgetting and regularisation (regression.go). Accuracy is kept
// beside that of two naive predictors, the stream's last score and the mean of its
// scores.
//
// On the 2,959 sample forecasts (28 streams), in the order of time, the mean
// absolute error is 0.0098, of the last score 0.0126, of the mean 0.0272; with the
// streams spread over eight tasks, each of which has its own model, 0.0118. Package
// pipeline holds this (TestLearning_BeatsTheNaivePredictorsOnTheSample and
// …WithATaskEach print the figures).
//
// # What was tried
//
// Mean absolute errors on the sample, one model for all streams and eight tasks:
//
//	as it is                                           0.0098   0.0118
//	the scores' own history alone                      0.0118   0.0132
//	the values' features alone (levels, lags, z)       0.0127   0.0134
//	without the scores' history                        0.0117   0.0136
//	without directions (balance, turn, mixture, path)  0.0116   0.0132
//	without path                                       0.0103   0.0125
//	without youth                                      0.0100   0.0119
//	without the values' features                       0.0099   0.0117
//	the values' features at their full size            0.0099   0.0125
//	the mean score as base in place of the last        0.0099   0.0118
//	squared error in place of Huber's                  0.0099   0.0120
//	forgetting 0.9999, 0.98, 0.95                      0.0105, 0.0098, 0.0103   0.0120, 0.0115, 0.0119
//	ridge 0.001, 1                                     0.0095, 0.0103           0.0125, 0.0119
//
// So the values' own features (last, delta, lags, z and the rest) say next to nothing
// of these forecasts' scores, and alone would lose to the last score: what says
// something is which way the series went, how straight, and how the stream was
// scored. They stay in, at a tenth of their size, for streams whose scores follow
// them. Forgetting and ridge were left in the middle of a flat range: 28 streams of
// one kind say little about others. A model for each stream would have a hundred
// forecasts to learn 32 weights from, and was not tried.
//
// The prediction error of a stream, not the prediction, is part of its next
// forecast's risk (scoring.RiskRules): what cannot be foreseen is a risk. So no
// prediction feeds on itself.
package learn
